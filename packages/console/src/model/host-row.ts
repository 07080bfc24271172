/** A host as a row of the fleet's table; also the head of its own page. */
import type { AppliedSummary } from "@kvm-governor/policy";
import type { HostFacts, TickFacts } from "../facts.ts";
import { rank, staleAfterMs } from "./alarms.ts";
import type { AlarmRow, HostRow, Severity } from "./model.ts";
import { round, visible } from "./words.ts";

interface Use {
  serviceCores: number;
  scientificCores: number;
  exemptCores: number;
  services: number;
  scientific: number;
  exempt: number;
}

/** Summed once a decision, however many pages look at it. */
const uses = new WeakMap<TickFacts, Use>();

export function hostRow(id: string, facts: HostFacts, alarms: readonly AlarmRow[]): HostRow {
  const { tick, applied, announced } = facts;
  const use = tick === undefined ? nobody() : useOf(tick);
  const capacity = tick?.sample.cpus.length ?? null;
  const hostCores = tick?.sample.hostRunCores ?? 0;
  const used = use.serviceCores + use.scientificCores + use.exemptCores + hostCores;
  return {
    name: visible(announced?.host.name ?? id),
    known: tick !== undefined || applied !== undefined || announced !== undefined,
    capacityCores: capacity,
    serviceCores: round(use.serviceCores, 2),
    scientificCores: round(use.scientificCores, 2),
    exemptCores: round(use.exemptCores, 2),
    hostCores: round(hostCores, 2),
    idleCores: capacity === null ? null : round(Math.max(0, capacity - used), 2),
    availableCores: tick === undefined ? null : round(tick.report.availableCores, 2),
    services: use.services,
    scientific: use.scientific,
    exempt: use.exempt,
    generation: tick?.plan.generation ?? null,
    actuator: actuatorText(tick, applied),
    severity: worst(alarms),
    alarms: alarms.length,
    sampleAtMs: tick?.decidedAtMs ?? null,
    staleAfterMs: staleAfterMs(tick),
  };
}

export function worst(alarms: readonly AlarmRow[]): Severity | "" {
  return alarms.reduce<Severity | "">(
    (most, { severity }) => (rank(severity) < rank(most) ? severity : most),
    "",
  );
}

function actuatorText(tick: TickFacts | undefined, applied: AppliedSummary | undefined): string {
  if (applied === undefined) return "no report";
  if (applied.switchFired !== undefined) return "at the baseline";
  if (applied.dryRun) return applied.writes === 0 ? "dry run" : `dry run: would write ${applied.writes}`;
  if (tick !== undefined && applied.generation < tick.plan.generation) return `at plan ${applied.generation}`;
  return "in force";
}

function useOf(tick: TickFacts): Use {
  let use = uses.get(tick);
  if (use === undefined) uses.set(tick, (use = sumUse(tick)));
  return use;
}

const nobody = (): Use => ({
  serviceCores: 0,
  scientificCores: 0,
  exemptCores: 0,
  services: 0,
  scientific: 0,
  exempt: 0,
});

function sumUse({ report, guests }: TickFacts): Use {
  const use = nobody();
  for (const { uuid, class: kind } of report.guests) {
    const guest = guests.get(uuid);
    let cores = guest?.otherRun ?? 0;
    for (const { run } of guest?.vcpus ?? []) cores += run;
    if (kind === "service") {
      use.services += 1;
      use.serviceCores += cores;
    } else if (kind === "scientific") {
      use.scientific += 1;
      use.scientificCores += cores;
    } else {
      use.exempt += 1;
      use.exemptCores += cores;
    }
  }
  return use;
}
