/** A host's page: its head, alarms, the map of its CPUs, and its guests. */
import { downThreshold } from "@kvm-governor/policy";
import type { ConsoleSource, HostFacts } from "../facts.ts";
import { hostAlarms } from "./alarms.ts";
import { cpuMap } from "./cpu-map.ts";
import { alarmSection, ownAlarms } from "./fleet.ts";
import { guestRow, guestSeen } from "./guest-row.ts";
import { hostRow } from "./host-row.ts";
import { ONLY } from "./model.ts";
import type { GuestRow, HostFactsRow, Model } from "./model.ts";
import { round } from "./words.ts";

/** More guests than this are counted, not listed. */
export const GUESTS_MAX = 2000;

export function hostModel(id: string, source: ConsoleSource): Model {
  const facts = source.host(id) ?? {};
  const alarms = hostAlarms(id, facts, source);
  const row = hostRow(id, facts, alarms);
  const { announced, tick, applied } = facts;
  const settings = source.settings();
  const { preset, alpha, beta, reserveCores } = settings;
  const isStored = source.storedHosts().includes(id);
  const head: HostFactsRow = {
    ...row,
    known: row.known || isStored,
    id,
    guestsNotShown: Math.max(0, (tick?.report.guests.length ?? 0) - GUESTS_MAX),
    kernel: announced?.host.kernel ?? "",
    cgroup: announced === undefined ? "" : cgroupText(announced.host.cgroupVersion),
    preset: tick?.plan.preset ?? preset,
    pressure: tick?.sample.pressure === undefined ? null : round(tick.sample.pressure, 2),
    reserveCores,
    sampleToReadBackMs:
      applied === undefined || applied.dryRun ? null : round(Math.max(0, applied.sampleToReadBackMs), 1),
    alpha,
    alphaDown: downThreshold(settings),
    beta,
    startedAtMs: source.startedAtMs,
  };
  return {
    host: { [ONLY]: head },
    // A host of which nothing is known is no host in trouble.
    alarms: alarmSection([...ownAlarms(source, id), ...(head.known ? alarms : [])]),
    cpus: cpuMap(facts),
    guests: guestRows(facts),
  };
}

function cgroupText(version: 0 | 1 | 2): string {
  return version === 0 ? "none" : `v${version}`;
}

function guestRows({ tick, applied }: HostFacts): Record<string, GuestRow> {
  if (tick === undefined) return {};
  const plans = new Map(tick.plan.guests.map((guest) => [guest.uuid, guest]));
  const skipped = new Map(applied?.skipped.map(({ guest, reason }) => [guest, reason]));
  const rows: Record<string, GuestRow> = {};
  // Once: a classifier makes this from figures each time it is asked.
  const samples = tick.guests;
  for (const report of tick.report.guests.slice(0, GUESTS_MAX)) {
    const { uuid } = report;
    rows[uuid] = guestRow(guestSeen(tick, report, samples.get(uuid), plans.get(uuid), skipped.get(uuid)));
  }
  return rows;
}
