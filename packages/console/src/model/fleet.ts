/** The fleet's page: hosts with capacity, idle, classes and alarms. */
import { downThreshold } from "@kvm-governor/policy";
import type { ConsoleSource, HostFacts, HostLine } from "../facts.ts";
import { hostAlarms, lineAlarms, rank } from "./alarms.ts";
import type { AlarmContext } from "./alarms.ts";
import { hostRow, worst } from "./host-row.ts";
import { ONLY } from "./model.ts";
import type { AlarmRow, FleetRow, HostRow, Model } from "./model.ts";
import { round } from "./words.ts";

/** A page shows the hosts with the worst alarms, and says how many more there are. */
export const HOSTS_MAX = 1000;
export const ALARMS_MAX = 200;

const NOTHING: HostFacts = {};

export function fleetModel(source: ConsoleSource): Model {
  const elsewhere = source.elsewhere();
  const known = new Map(source.hosts());
  for (const id of source.storedHosts()) if (!known.has(id)) known.set(id, NOTHING);
  for (const id of elsewhere.keys()) if (!known.has(id)) known.set(id, NOTHING);
  const all = [...known].map(([id, facts]) => newest(id, facts, elsewhere.get(id), source));
  const alarms = [...ownAlarms(source), ...all.flatMap((host) => host.alarms)];
  const shown =
    all.length <= HOSTS_MAX
      ? all
      : all.toSorted((a, b) => rank(a.row.severity) - rank(b.row.severity)).slice(0, HOSTS_MAX);
  return {
    fleet: { [ONLY]: fleetRow(source, all, alarms, all.length - shown.length) },
    hosts: Object.fromEntries(shown.map(({ id, row }) => [id, row])),
    alarms: alarmSection(alarms),
  };
}

/** Where two classifiers have worked a host off, the later one speaks for it. */
function newest(id: string, facts: HostFacts, other: HostLine | undefined, source: ConsoleSource): HostLine {
  if (other === undefined || (facts.tick?.decidedAtMs ?? -1) >= (other.row.sampleAtMs ?? 0))
    return hostLine(id, facts, source);
  const alarms = lineAlarms(other, source);
  return { ...other, row: { ...other.row, severity: worst(alarms) }, alarms };
}

/** A host of the fleet's table, with its alarms. */
export function hostLine(id: string, facts: HostFacts, source: AlarmContext): HostLine {
  const alarms = hostAlarms(id, facts, source);
  return { id, row: hostRow(id, facts, alarms), alarms };
}

/** Keys name host and kind, so that an alarm that goes on is the same row. */
export function alarmSection(alarms: readonly AlarmRow[]): Record<string, AlarmRow> {
  const worstFirst = alarms.toSorted((a, b) => rank(a.severity) - rank(b.severity)).slice(0, ALARMS_MAX);
  return Object.fromEntries(worstFirst.map((alarm) => [`${alarm.host}/${alarm.code}`, alarm]));
}

/**
 * What this classifier itself waits for: without Redis or NATS nothing is decided for anybody. And what others do not tell it.
 * @param host whose page it is; absent: the fleet's
 */
export function ownAlarms(source: ConsoleSource, host?: string): AlarmRow[] {
  const about = (severity: AlarmRow["severity"], code: string, text: string): AlarmRow => ({
    severity,
    code,
    host: "",
    hostName: "this classifier",
    guest: "",
    guestName: "",
    text,
    sinceMs: null,
  });
  const waits = source
    .waitsFor()
    .map(({ name, detail }) =>
      about("critical", `waits-for-${name}`, `waits for ${name}: ${detail}; nothing is decided`),
    );
  const missing = source.missing(host);
  if (missing.length === 0) return waits;
  const text = `this page is not complete: ${missing.join("; ")}. Hosts that others work off are shown as they were last known`;
  return [...waits, about("warning", "not-complete", text)];
}

function fleetRow(
  source: ConsoleSource,
  hosts: readonly { row: HostRow }[],
  alarms: readonly AlarmRow[],
  hostsNotShown: number,
): FleetRow {
  const settings = source.settings();
  const { preset, alpha, beta, checkPeriodMs } = settings;
  const sum = (pick: (row: HostRow) => number | null): number =>
    hosts.reduce((total, { row }) => total + (pick(row) ?? 0), 0);
  const count = (severity: string): number => alarms.filter((alarm) => alarm.severity === severity).length;
  return {
    hosts: hosts.length,
    hostsNotShown,
    services: sum(({ services }) => services),
    scientific: sum(({ scientific }) => scientific),
    exempt: sum(({ exempt }) => exempt),
    capacityCores: sum(({ capacityCores }) => capacityCores),
    idleCores: round(
      sum(({ idleCores }) => idleCores),
      1,
    ),
    critical: count("critical"),
    warning: count("warning"),
    preset,
    alpha,
    alphaDown: downThreshold(settings),
    beta,
    periodMs: checkPeriodMs,
    startedAtMs: source.startedAtMs,
  };
}
