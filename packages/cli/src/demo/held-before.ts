/**
 * The second part: the manager finds guests that somebody has tuned before. A quota below alpha holds the scientific
 * guest, so that it cannot *use* alpha of its vCPUs; a PC guest is pinned; a web guest's vCPU has an affinity of its
 * own. The promotion must work all the same, and the end must bring exactly this back.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { setAffinity } from "@kvm-governor/linux";
import { differences, takeSnapshot } from "./control-snapshot.ts";
import { GuestMeter } from "./kernel-meter.ts";
import type { HeldBefore } from "./criteria.ts";
import type { Manager } from "./manager.ts";
import type { Actor, Stage } from "./stage.ts";

/** Quota of each vCPU: below any sensible alpha. */
const QUOTA = 0.3;
const PERIOD_US = 100_000;
const SHARES = 700;

/** How long CPU use is measured, before the manager comes and after the promotion. */
const MEASURE_MS = 2000;
const LOOK_MS = 20;

export interface HeldBeforeOptions {
  stage: Stage;
  cpus: readonly number[];
  checkPeriodMs: number;
  beta: number;
  /** A guest that is pinned one vCPU to one CPU is left alone unless it is declared: these are to be. */
  startManager: (declaredServices: readonly string[]) => Promise<Manager>;
  say: (line: string) => void;
  signal: AbortSignal;
}

export async function runHeldBefore(options: HeldBeforeOptions): Promise<HeldBefore> {
  const { stage, say, signal } = options;
  const { scientific } = stage;
  const pinned = await tune(stage, options.cpus);
  const baseline = takeSnapshot(stage.actors.map(snapshotGuest));
  say(
    `  quota of ${QUOTA} of each vCPU and weight ${SHARES} set on scientific, pc pinned, web given an affinity`,
  );

  const meter = new GuestMeter(scientific.guest.vcpuTids);
  try {
    const before = await coresWhileBusy(scientific, meter, signal);
    const manager = await options.startManager(pinned);
    let moved;
    try {
      moved = await promote(options, manager, meter);
    } finally {
      scientific.guest.load.setLoad(0);
      await manager.stop();
    }
    const left = differences(baseline, takeSnapshot(stage.actors.map(snapshotGuest)));
    for (const difference of left) say(`  NOT as before: ${difference}`);
    return {
      quota: QUOTA,
      promotedAfterPeriods: moved.promotedAfterPeriods,
      scientificCores: { before, after: moved.cores },
      restored: left.length === 0,
    };
  } finally {
    meter.close();
  }
}

export function snapshotGuest({ name, guest }: Actor): {
  name: string;
  pid: number;
  vcpuTids: readonly number[];
} {
  return { name, pid: guest.pid, vcpuTids: guest.vcpuTids };
}

/** @returns names of the guests that it pinned */
async function tune(stage: Stage, cpus: readonly number[]): Promise<string[]> {
  const { libvirt, scientific, actors } = stage;
  const quotaUs = QUOTA * PERIOD_US;
  const tuned = [`cpu_shares=${SHARES}`, `vcpu_period=${PERIOD_US}`, `vcpu_quota=${quotaUs}`];
  await libvirt.virsh(["schedinfo", scientific.name, "--live", ...tuned]);
  const [first, last] = [cpus[0] ?? 0, cpus.at(-1) ?? 0];
  const pc = actors.find(({ role }) => role === "pc");
  if (pc !== undefined) await libvirt.virsh(["vcpupin", pc.name, "0", String(last), "--live"]);
  const webThread = actors.find(({ role }) => role === "web")?.guest.vcpuTids[0];
  if (webThread !== undefined) setAffinity(webThread, [first]);
  return pc === undefined ? [] : [pc.name];
}

async function coresWhileBusy(actor: Actor, meter: GuestMeter, signal: AbortSignal): Promise<number> {
  actor.guest.load.setLoad(100);
  try {
    await sleep(LOOK_MS, undefined, { signal });
    return await measureCores(meter, signal);
  } finally {
    actor.guest.load.setLoad(0);
  }
}

async function measureCores(meter: GuestMeter, signal: AbortSignal): Promise<number> {
  const from = meter.read();
  await sleep(MEASURE_MS, undefined, { signal });
  const to = meter.read();
  return round((to.runNs - from.runNs) / 1e6 / (to.atMs - from.atMs));
}

/** Starts the load and waits for the move; gives up after four times as long as it may take, or 10 s. */
async function promote(
  { stage, checkPeriodMs, beta, signal }: HeldBeforeOptions,
  manager: Manager,
  meter: GuestMeter,
): Promise<{ promotedAfterPeriods: number | null; cores: number | null }> {
  const { guest } = stage.scientific;
  guest.load.setLoad(100);
  const startMs = performance.now();
  const patienceMs = Math.min(4 * (beta + 2) * checkPeriodMs, 10_000);
  while (!(await manager.lists.scientific()).has(guest.uuid)) {
    if (performance.now() - startMs > patienceMs) return { promotedAfterPeriods: null, cores: null };
    await sleep(LOOK_MS, undefined, { signal });
  }
  const promotedAfterPeriods = round((performance.now() - startMs) / checkPeriodMs);
  return { promotedAfterPeriods, cores: await measureCores(meter, signal) };
}

function round(value: number): number {
  return Number(value.toFixed(2));
}
