/** `kvmgov plan`: what is planned for each guest and why; `--dry-run`: which values that would write now. */
import type { HostAnswer, WritesAnswer } from "../api/answers.ts";
import { Classifier } from "../api/client.ts";
import { visible } from "../supervisor/narrator.ts";
import { heldText, listName, timeOf } from "../text/words.ts";
import { answersOf, hostIds, missingLines, print } from "./asking.ts";
import type { AskFlags } from "./asking.ts";

export interface PlanFlags extends AskFlags {
  dryRun?: boolean;
}

export async function plan(flags: PlanFlags): Promise<number> {
  if (flags.dryRun === true) return dryRun(flags);
  const hosts = await answersOf(flags);
  if (flags.json === true) {
    print([
      JSON.stringify({ hosts: hosts.map(({ id, name, plan, applied }) => ({ id, name, plan, applied })) }),
    ]);
  } else print(hosts.length === 0 ? ["No host yet, and so no plan."] : hosts.flatMap(planText));
  return 0;
}

async function dryRun(flags: PlanFlags): Promise<number> {
  const classifier = new Classifier(flags.url);
  const ids = await hostIds(classifier, flags.host);
  const hosts: WritesAnswer[] = [];
  for (const id of ids) hosts.push(await classifier.writes(id));
  if (flags.json === true) print([JSON.stringify({ hosts: hosts.map(pendingOf) })]);
  else print(hosts.length === 0 ? ["No host yet, and so no plan."] : hosts.flatMap(dryRunText));
  return 0;
}

export function planText(host: HostAnswer): string[] {
  const { id, plan, applied } = host;
  if (plan === null) return [`Host ${id}: no plan`];
  const follows = applied === null ? "no actuator has reported" : `the actuator is at ${applied.generation}`;
  const lines = [`Host ${id}: plan ${plan.generation}, preset ${plan.preset}; ${follows}`];
  lines.push(...missingLines(host).map((line) => `  ${line}`));
  for (const guest of plan.guests) {
    lines.push(`  ${guest.name} (${listName[guest.class]}): ${heldText(guest)}`);
    lines.push(...guest.reasons.map(({ text }) => `    ${text}`));
  }
  return lines.map(visible);
}

/** What stands between the kernel and the plan, as the last applied report knows it. */
function pendingOf({ host, generation, applied, guests }: WritesAnswer): object {
  return {
    host,
    generation,
    appliedGeneration: applied?.generation ?? null,
    dryRun: applied?.dryRun ?? null,
    guests: guests.map(({ uuid, name, class: kind, reasons, wouldWrite, skipped }) => ({
      uuid,
      name,
      class: kind,
      wouldWrite,
      skipped,
      reasons,
    })),
  };
}

export function dryRunText(answer: WritesAnswer): string[] {
  const { host, generation, applied, guests } = answer;
  if (generation === null) return [`Host ${host}: no plan yet`];
  const lines = [`Host ${host}: plan ${generation}, ${stateOf(generation, applied)}`];
  lines.push(...missingLines(answer).map((line) => `  ${line}`));
  for (const { name, class: kind, reasons, wouldWrite, skipped } of guests) {
    if (skipped !== null) lines.push(`  ${name} (${listName[kind]}): would be left alone: ${skipped.reason}`);
    if (wouldWrite.length === 0) continue;
    lines.push(`  ${name} (${listName[kind]}):`);
    lines.push(
      ...wouldWrite.map(
        ({ target, setting, file, old, wanted }) => `    ${target} ${setting}: ${old} -> ${wanted} (${file})`,
      ),
    );
    lines.push(...reasons.map(({ text }) => `    because: ${text}`));
  }
  return lines.map(visible);
}

function stateOf(generation: number, applied: WritesAnswer["applied"]): string {
  if (applied === null) return "but no actuator has reported: start one (with --dry-run it writes nothing)";
  if (applied.switchFired !== undefined)
    return `not in force: ${applied.switchFired}, guests are at their baseline`;
  if (applied.dryRun) {
    return applied.writes === 0
      ? "dry run: nothing would be written"
      : `dry run: ${applied.writes} values would be written`;
  }
  const at = timeOf(applied.receivedAtMs);
  if (applied.generation < generation)
    return `not applied yet: the actuator is at ${applied.generation} (${at})`;
  const failed = applied.errors > 0 ? `; ${applied.errors} writes FAIL, see kvmgov explain` : "";
  return `in force: ${applied.verified} values were compared with the kernel's at ${at}, nothing is left to write${failed}`;
}
