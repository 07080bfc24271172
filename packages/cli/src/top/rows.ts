/** Rows of `kvmgov top`, from two looks. Parts are of the guest's vCPUs; rates are null at the first look. */
import type { GuestPlan, GuestReport } from "@kvm-governor/policy";
import type { HostAnswer } from "../api/answers.ts";
import { bandwidthText, cpusText, ofVcpus } from "../text/words.ts";
import type { Look } from "./look.ts";

export interface TopRow {
  host: string;
  uuid: string;
  name: string;
  class: GuestReport["class"];
  vcpus: number | null;
  count: number;
  usage: number;
  delay: number;
  demand: number;
  /** CPU used between the looks, by the collector's counters. */
  cores: number | null;
  entitlementCores: number | null;
  bandwidth: string;
  weight: string;
  cpus: string;
  switchesPerSecond: number | null;
}

const ORDER = { scientific: 0, service: 1, exempt: 2 } as const;

export const sorts = {
  c: { name: "class", by: (row) => ORDER[row.class] },
  n: { name: "name", by: (row) => row.name },
  h: { name: "host", by: (row) => row.host },
  u: { name: "used", by: (row) => -row.usage },
  w: { name: "waited", by: (row) => -row.delay },
  s: { name: "switches", by: (row) => -(row.switchesPerSecond ?? 0) },
} as const satisfies Record<string, { name: string; by: (row: TopRow) => string | number }>;
export type SortKey = keyof typeof sorts;

export const isSortKey = (key: string): key is SortKey => key in sorts;

export function topRows(before: Look | undefined, now: Look): TopRow[] {
  return now.hosts.flatMap((host) => hostRows(host, before, now));
}

function hostRows({ id, name, report, plan }: HostAnswer, before: Look | undefined, now: Look): TopRow[] {
  const plans = new Map(plan?.guests.map((guest) => [guest.uuid, guest]));
  return (report?.guests ?? []).map((guest) => {
    const held = plans.get(guest.uuid);
    return {
      host: name ?? id,
      uuid: guest.uuid,
      name: guest.name,
      class: guest.class,
      vcpus: held?.vcpus.length ?? null,
      count: guest.count,
      usage: guest.usage,
      delay: guest.delay,
      demand: guest.demand,
      entitlementCores: guest.class === "exempt" ? null : guest.entitlementCores,
      ...heldCells(held),
      ...rates(`${id}/${guest.uuid}`, before, now),
    };
  });
}

function heldCells(held: GuestPlan | undefined): Pick<TopRow, "bandwidth" | "weight" | "cpus"> {
  if (held === undefined) return { bandwidth: "", weight: "", cpus: "" };
  const bandwidths = held.vcpus.map(({ bandwidth }) => bandwidth);
  // One cell has no room for a value of each vCPU: their sum says what the guest can get.
  const total = bandwidths.every((value) => typeof value === "number")
    ? bandwidths.reduce<number>((sum, value) => sum + value, 0).toFixed(2)
    : ofVcpus(
        held.vcpus,
        ({ bandwidth }) => bandwidth,
        (value) => (value === "unlimited" ? "none" : bandwidthText(value)),
      );
  const cpus = held.vcpus.every(({ cpus: own }) => own !== "baseline" && own.length === 1)
    ? held.vcpus.map(({ cpus: own }) => cpusText(own)).join(",")
    : ofVcpus(held.vcpus, ({ cpus: own }) => own, cpusText);
  const { weight } = held;
  return { bandwidth: total, cpus, weight: weight === "baseline" ? "as found" : String(weight) };
}

function rates(
  key: string,
  before: Look | undefined,
  now: Look,
): Pick<TopRow, "cores" | "switchesPerSecond"> {
  const [a, b] = [before?.counters.get(key), now.counters.get(key)];
  const seconds = (now.atMs - (before?.atMs ?? now.atMs)) / 1000;
  return {
    cores: rate(a?.runSeconds, b?.runSeconds, seconds),
    switchesPerSecond: rate(a?.switches, b?.switches, seconds),
  };
}

/** A counter that went back is another guest's, or that of a collector that restarted. */
function rate(before: number | undefined, now: number | undefined, seconds: number): number | null {
  if (before === undefined || now === undefined || seconds <= 0 || now < before) return null;
  return (now - before) / seconds;
}

export function sorted(rows: readonly TopRow[], key: SortKey, isReversed: boolean): TopRow[] {
  const { by } = sorts[key];
  const compared = rows.toSorted(
    (a, b) => compare(by(a), by(b)) || compare(a.name, b.name) || compare(a.uuid, b.uuid),
  );
  return isReversed ? compared.reverse() : compared;
}

const compare = (a: string | number, b: string | number): number => (a < b ? -1 : a > b ? 1 : 0);
