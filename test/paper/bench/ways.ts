/** Ways of holding the guests, as raw settings of the kernel: what a policy could choose from. Pure. */
import type { Change } from "./changes.ts";

/** All that a way sets; what is absent stays as libvirt made it. */
export interface Setting {
  /** Weight of the scientific guest against one service. */
  weight?: number;
  /** The scientific guest runs only where nobody else wants to (`cpu.idle`). */
  isIdle?: boolean;
  /** Each of its vCPUs on one CPU. */
  isApart?: boolean;
  /** Services get no more than their SLA, in periods of 100 ms. */
  isCapped?: boolean;
  /**
   * Period of a quota on all of it together, in microseconds, of what the SLAs leave: its vCPUs begin together, and rest together. Hazard: with a
   * quota each they would not, because the kernel begins the periods of each group at a time of its own (init_cfs_bandwidth, kernel/sched/fair.c).
   */
  windowUs?: number;
  /** EEVDF slice of the services' vCPUs, in milliseconds. */
  sliceMs?: number;
}

export interface Way {
  /** In words, for the table. */
  what: string;
  /** Which loads run; absent: both. */
  only?: "scientific" | "services";
  setting: Setting;
}

export const ALONE = "alone";
export const SERVICES = "services";
/** What the frontier is held against; they are no ways of holding anybody. */
export const REFERENCES: readonly string[] = [ALONE, SERVICES];

const LONGEST_SLICE_MS = 100;
/** For windows: the scientific guest is stopped by its quota, not by the services. */
const ABOVE_SERVICES = 8;

const weighted = (weight: number, name: string): Way => ({
  what: `weight ${name} to 1, one CPU a vCPU`,
  setting: { weight, isApart: true },
});
const windows = (ms: number): Way => ({
  what: `weight ${ABOVE_SERVICES} to 1, one CPU a vCPU, a quota on all of it in periods of ${ms} ms`,
  setting: { weight: ABOVE_SERVICES, isApart: true, windowUs: ms * 1000 },
});

export const WAYS: ReadonlyMap<string, Way> = new Map<string, Way>([
  [ALONE, { what: "without the services' load", only: "scientific", setting: {} }],
  [SERVICES, { what: "the services' load without the kernels", only: "services", setting: {} }],
  ["default", { what: "KVM's default: nothing is set", setting: {} }],
  [
    "static",
    { what: "one CPU a vCPU, services capped at their SLA", setting: { isApart: true, isCapped: true } },
  ],
  ["idle", { what: "`cpu.idle`", setting: { isIdle: true } }],
  [
    "idle+apart",
    { what: "`cpu.idle`, one CPU a vCPU: preset `default`", setting: { isIdle: true, isApart: true } },
  ],
  [
    "idle+apart+capped",
    {
      what: "`cpu.idle`, one CPU a vCPU, services capped at their SLA: `serviceLimit: sla`",
      setting: { isIdle: true, isApart: true, isCapped: true },
    },
  ],
  [
    "idle+apart+slice",
    {
      what: `\`cpu.idle\`, one CPU a vCPU, slices of ${LONGEST_SLICE_MS} ms for the services`,
      setting: { isIdle: true, isApart: true, sliceMs: LONGEST_SLICE_MS },
    },
  ],
  ["weight 1/8+apart", weighted(1 / 8, "1/8")],
  ["weight 1/4+apart", weighted(1 / 4, "1/4")],
  ["weight 1/2+apart", weighted(1 / 2, "1/2")],
  ["weight 1+apart", weighted(1, "1")],
  ["weight 2+apart", weighted(2, "2")],
  ["weight 8+apart", weighted(8, "8")],
  ["weight 8", { what: "weight 8 to 1", setting: { weight: 8 } }],
  ["windows 20 ms", windows(20)],
  ["windows 50 ms", windows(50)],
  ["windows 100 ms", windows(100)],
]);

/** Control groups and threads of one guest. */
export interface HeldGuest {
  /** Its own group of the v1 controller `cpu`. */
  dir: string;
  vcpuDirs: readonly string[];
  vcpuTids: readonly number[];
}

/** What a way is applied to. */
export interface Ground {
  /** Numbers of the CPUs that guests may use. */
  cpus: readonly number[];
  scientific: HeldGuest;
  services: readonly (HeldGuest & { slaCores: number })[];
}

/** `cpu.shares` of a group that nobody changed. */
const SHARES_OF_ONE = 1024;
const CAP_PERIOD_US = 100_000;
const NS_PER_MS = 1e6;

/** What is to be written, in this order. */
export function changesOf(setting: Setting, { cpus, scientific, services }: Ground): Change[] {
  const { weight, isIdle, isApart, isCapped, windowUs, sliceMs } = setting;
  const changes: Change[] = [];
  if (weight !== undefined)
    changes.push(file(scientific.dir, "cpu.shares", Math.round(weight * SHARES_OF_ONE)));
  if (isIdle === true) changes.push(file(scientific.dir, "cpu.idle", 1));
  if (isApart === true) changes.push(...seats(scientific, cpus));
  if (windowUs !== undefined) {
    const promised = services.reduce((sum, { slaCores }) => sum + slaCores, 0);
    changes.push(...quota(scientific.dir, windowUs, cpus.length - promised));
  }
  for (const { vcpuDirs, vcpuTids, slaCores } of services) {
    if (isCapped === true)
      changes.push(...vcpuDirs.flatMap((dir) => quota(dir, CAP_PERIOD_US, slaCores / vcpuDirs.length)));
    if (sliceMs !== undefined)
      changes.push(...vcpuTids.map((tid) => ({ kind: "slice", tid, ns: sliceMs * NS_PER_MS }) as const));
  }
  return changes;
}

function seats({ vcpuTids }: HeldGuest, cpus: readonly number[]): Change[] {
  return vcpuTids.flatMap((tid, vcpu) => {
    const cpu = cpus[vcpu % cpus.length];
    return cpu === undefined ? [] : [{ kind: "affinity", tid, cpus: [cpu] } as const];
  });
}

/** Hazard: the kernel refuses quotas below 1 ms. */
const QUOTA_US_MIN = 1000;

/**
 * Period first: the quota must fit into what the group above has by then.
 * @param cores of 0 and below: the smallest quota
 */
function quota(dir: string, periodUs: number, cores: number): Change[] {
  const quotaUs = Math.max(QUOTA_US_MIN, Math.round(cores * periodUs));
  return [file(dir, "cpu.cfs_period_us", periodUs), file(dir, "cpu.cfs_quota_us", quotaUs)];
}

const file = (dir: string, name: string, value: number): Change => ({
  kind: "file",
  dir,
  name,
  text: String(value),
});
