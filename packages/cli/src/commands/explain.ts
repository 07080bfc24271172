/** `kvmgov explain GUEST`: what was seen, which rule, which write, and since when, in words. */
import type { GuestReport, PastDecision, PastWrite } from "@kvm-governor/policy";
import type { GuestAnswer } from "../api/answers.ts";
import { Classifier } from "../api/client.ts";
import { visible } from "../supervisor/narrator.ts";
import { heldText, lengthOf, listName, percent, timeOf } from "../text/words.ts";
import { missingLines, oneGuest, print } from "./asking.ts";
import type { AskFlags } from "./asking.ts";

/** So many entries of each kind are told; `--json` has all. */
const SHOWN = 10;

export async function explain(guest: string, flags: AskFlags): Promise<number> {
  const classifier = new Classifier(flags.url);
  const { host, uuid } = await oneGuest(classifier, guest, flags.host);
  const answer = await classifier.guest(host, uuid);
  print(flags.json === true ? [JSON.stringify(answer)] : explanation(answer, Date.now()));
  return 0;
}

export function explanation(answer: GuestAnswer, nowMs: number): string[] {
  const { name, uuid, host, class: kind, report, plan, history } = answer;
  const lines = [`Guest ${name} (${uuid}) on host ${host}`, "", ...classLines(answer, nowMs)];
  if ((answer.missing ?? []).length > 0) lines.push("", ...missingLines(answer));
  const nothing = nothingSince(answer);
  if (report !== null) lines.push(...seenLines(report, kind));
  if (kind === "exempt") return [...lines, "", "It is left alone: nothing of it is written."].map(visible);
  if (plan !== null) {
    lines.push(
      "",
      `Held: ${heldText(plan)}`,
      ...plan.reasons.slice(1).map(({ text }) => `  because: ${text}`),
    );
  }
  if (history.skipped !== null) {
    const { reason, atMs } = history.skipped;
    lines.push("", `NOT applied for ${lengthOf(nowMs - atMs)}: the actuator leaves it alone: ${reason}`);
  }
  if (history.wouldWrite.length > 0) {
    lines.push(
      "",
      "Dry run, it would write:",
      ...history.wouldWrite.map(
        (write) => `  ${write.target} ${write.setting}: ${write.old} -> ${write.wanted} (${write.file})`,
      ),
    );
  }
  lines.push("", "Written:", ...last(history.writes.map(writeLine), nothing));
  for (const { atMs, target, setting, applied, found } of history.drift.slice(-SHOWN)) {
    lines.push(`  ${timeOf(atMs)} ${target} ${setting} was ${applied}, somebody else wrote ${found}`);
  }
  lines.push("", "Decided:", ...last(history.decisions.map(decisionLine), nothing));
  return lines.map(visible);
}

/** Classifiers remember in memory: what one did that is gone is not known any more. */
function nothingSince({ knownSinceMs }: GuestAnswer): string {
  return knownSinceMs === undefined || knownSinceMs === null
    ? "nothing since this classifier started"
    : `nothing since ${timeOf(knownSinceMs)}, when its classifier took the host`;
}

function classLines({ class: kind, sinceMs, plan, report, declared }: GuestAnswer, nowMs: number): string[] {
  if (kind === "exempt") return ["It is exempt.", ...whyLine(report?.reasons[0]?.text)];
  const since =
    sinceMs === null || sinceMs === undefined
      ? ""
      : ` for ${lengthOf(nowMs - sinceMs)}, since ${timeOf(sinceMs)}`;
  const how =
    declared === undefined || declared === "auto" ? "inferred from its use" : `declared ${declared}`;
  return [`It is in ${listName[kind]} (${kind}, ${how})${since}.`, ...whyLine(plan?.reasons[0]?.text)];
}

const whyLine = (text: string | undefined): string[] => (text === undefined ? [] : [`  because: ${text}`]);

function seenLines(report: GuestReport, kind: GuestAnswer["class"]): string[] {
  const { usage, delay, demand, readable, crossed, count, held, entitlementCores } = report;
  if (!readable) return ["", "It could not be read in the last period: its count was left alone."];
  const lines = [
    "",
    `Seen in the last period: ran ${percent(usage)} of its vCPUs' time, waited ${percent(delay)}, wanted ${percent(demand)}.`,
  ];
  if (kind === "exempt") return lines;
  const towards = kind === "service" ? "LIST_sc" : "LIST_se";
  lines.push(
    `  That ${crossed ? "counts" : "does not count"} towards ${towards}; its crossing count is ${count}.`,
    ...(held === true ? ["  It would move, but its count moved it less than coolDownMs ago."] : []),
    `It may have ${entitlementCores.toFixed(2)} cores now.`,
    ...report.reasons.filter(({ code }) => code === "delay-missed").map(({ text }) => `  But ${text}.`),
  );
  return lines;
}

function writeLine({ atMs, target, setting, file, old, wanted, readBack, error, times }: PastWrite): string {
  const result =
    error !== undefined
      ? ` FAILED: ${error}`
      : readBack === wanted || readBack === undefined
        ? ""
        : ` READS ${readBack}`;
  const often = times > 1 ? `, ${times} times` : "";
  return `${timeOf(atMs)} ${target} ${setting}: ${shown(old)} -> ${shown(wanted)}${result} (${file}${often})`;
}

const shown = (value: string): string => (value === "" ? `""` : value);

function decisionLine({
  atMs,
  generation,
  kind,
  class: to,
  movedFrom,
  usage,
  demand,
  reasons,
  held,
}: PastDecision): string {
  const seen = `ran ${percent(usage)}, wanted ${percent(demand)}`;
  const at = `${timeOf(atMs)} plan ${generation}`;
  if (kind === "held") return `${at}: held otherwise (${seen}): ${heldText(held)}`;
  const what =
    kind === "first"
      ? `first seen, in ${listName[to]}`
      : `moved from ${listName[movedFrom ?? to]} to ${listName[to]}`;
  return `${at}: ${what} (${seen}): ${reasons[0]?.text ?? "no reason given"}`;
}

/** The newest come last; older ones are only counted. */
function last(lines: readonly string[], none: string): string[] {
  if (lines.length === 0) return [`  ${none}`];
  const more = lines.length - SHOWN;
  return [
    ...(more > 0 ? [`  … ${more} older ones (--json has all)`] : []),
    ...lines.slice(-SHOWN).map((line) => `  ${line}`),
  ];
}
