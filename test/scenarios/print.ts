/** What a scenario prints: who moved and why, and the plan wherever it says something new. */
import { formatCpuList } from "@kvm-governor/policy";
import type { GuestPlan } from "@kvm-governor/policy";
import { parseScript } from "./script.ts";
import { World } from "./world.ts";
import type { Decided } from "./world.ts";

/**
 * Plays a scenario.
 * @returns what it prints; a period in which nothing happens prints nothing
 */
export function play(script: string): string {
  const world = new World();
  const lines: string[] = [];
  let last: Decided | undefined;
  for (const step of parseScript(script)) {
    if (step.kind === "tick") {
      for (let i = 0; i < step.periods; i++) lines.push(...happened(world.ticks + 1, (last = world.tick())));
    } else if (step.kind === "show") {
      lines.push(...shown(world.ticks, last));
    } else {
      world.take(step);
    }
  }
  return `${lines.join("\n")}\n`;
}

function happened(tick: number, { plan, report }: Decided): string[] {
  const moves = report.guests
    .filter(({ movedFrom }) => movedFrom !== undefined)
    .map(({ name, reasons }) => `  ${name} moved: ${reasons[0]?.text ?? ""}`);
  if (moves.length === 0 && !report.changed) return [];
  const lists = `LIST_se ${namesOf(plan.guests, "service")}, LIST_sc ${namesOf(plan.guests, "scientific")}`;
  return [
    `tick ${tick}: ${lists}`,
    ...moves,
    ...(report.changed ? planLines(plan.generation, plan.guests) : []),
  ];
}

function planLines(generation: number, guests: readonly GuestPlan[]): string[] {
  return [`  plan ${generation}`, ...guests.map((guest) => `    ${guest.name}: ${heldAt(guest)}`)];
}

function shown(tick: number, decision: Decided | undefined): string[] {
  if (decision === undefined) return ["nothing decided yet"];
  const { plan, report } = decision;
  const scaled = report.oversubscribed ? `, SLAs scaled by ${figure(report.slaScale)}` : "";
  const lines = [
    `show ${tick}: plan ${plan.generation}, available ${figure(report.availableCores)} cores${scaled}`,
  ];
  for (const guest of report.guests) {
    const seen = guest.readable
      ? `usage ${figure(guest.usage)}, demand ${figure(guest.demand)}`
      : "not readable";
    const entitled = `entitled to ${figure(guest.entitlementCores)} cores`;
    lines.push(`  ${guest.name}: ${guest.class}, count ${guest.count}, ${seen}, ${entitled}`);
    const held = plan.guests.find(({ uuid }) => uuid === guest.uuid);
    if (held !== undefined) lines.push(`    ${heldAt(held)}`);
    lines.push(...guest.reasons.map(({ code, text }) => `    ${code}: ${text}`));
  }
  return lines;
}

function heldAt({ vcpus, weight, emulatorCpus }: GuestPlan): string {
  const bandwidth = alike(vcpus.map((vcpu) => String(vcpu.bandwidth)));
  const cpus = alike(vcpus.map((vcpu) => cpuText(vcpu.cpus)));
  return `bandwidth ${bandwidth}; CPUs ${cpus}; emulator on ${cpuText(emulatorCpus)}; weight ${weight}`;
}

/** One text where all are the same. */
function alike(texts: readonly string[]): string {
  return new Set(texts).size === 1 ? (texts[0] ?? "") : texts.join(" | ");
}

function cpuText(cpus: GuestPlan["emulatorCpus"]): string {
  return cpus === "baseline" ? cpus : formatCpuList(cpus);
}

function namesOf(guests: readonly GuestPlan[], kind: GuestPlan["class"]): string {
  return `{${guests.flatMap((guest) => (guest.class === kind ? [guest.name] : [])).join(" ")}}`;
}

function figure(value: number): string {
  return value.toFixed(2);
}
