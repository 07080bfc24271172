/** What was decided on a guest and written for it, in words. */
import type { PastDecision, GuestHistory } from "@kvm-governor/policy";
import { heldText, listName, percent } from "@kvm-governor/policy";
import type { DecisionRow, WriteRow } from "./model.ts";
import { visible } from "./words.ts";

export function decisionRows(decisions: readonly PastDecision[]): Record<string, DecisionRow> {
  return Object.fromEntries(
    decisions.map((decision) => [
      `${decision.atMs}-${decision.generation}-${decision.kind}`,
      {
        atMs: decision.atMs,
        kind: decision.kind,
        class: decision.class,
        generation: decision.generation,
        title: titleOf(decision),
        seen: `ran ${percent(decision.usage)}, waited ${percent(Math.min(1, decision.delay))}, wanted ${percent(decision.demand)} of its vCPUs`,
        reasons: decision.reasons.map(({ text }) => visible(text)),
        held: heldText(decision.held),
      },
    ]),
  );
}

function titleOf({ kind, class: to, movedFrom }: PastDecision): string {
  if (kind === "held") return "held otherwise";
  if (kind === "first") return `first seen, in ${listName[to]}`;
  return `moved from ${listName[movedFrom ?? to]} to ${listName[to]}`;
}

export function writeRows({ writes, drift, wouldWrite }: GuestHistory): Record<string, WriteRow> {
  const rows: Record<string, WriteRow> = {};
  for (const [i, write] of writes.entries()) {
    const { atMs, target, setting, file, old, wanted, readBack, error, times } = write;
    const result =
      error !== undefined
        ? `failed: ${error}`
        : readBack !== undefined && readBack !== wanted
          ? `reads ${shown(readBack)}`
          : "";
    const often = times > 1 ? `${times} times` : "";
    const rest = [result, often].filter((text) => text !== "").join(", ");
    rows[`w${atMs}-${i}`] = {
      atMs,
      kind: error === undefined ? "written" : "failed",
      target,
      setting,
      text: visible(`${shown(old)} → ${shown(wanted)}${rest === "" ? "" : ` (${rest})`}`),
      file: visible(file),
    };
  }
  for (const [i, { atMs, target, setting, file, applied, found }] of drift.entries()) {
    const text = visible(`was ${shown(applied)}, somebody else wrote ${shown(found)}`);
    rows[`d${atMs}-${i}`] = { atMs, kind: "drift", target, setting, text, file: visible(file) };
  }
  for (const [i, { target, setting, file, old, wanted }] of wouldWrite.entries()) {
    const text = visible(`${shown(old)} → ${shown(wanted)}`);
    rows[`p${i}`] = { atMs: 0, kind: "would", target, setting, text, file: visible(file) };
  }
  return rows;
}

const shown = (value: string): string => (value === "" ? '""' : value);
