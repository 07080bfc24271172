/**
 * What applying a plan costs: 200 guests with 4 vCPUs each. Real: the kernel's files, groups of cgroup v1 as libvirt lays them out, 200
 * processes with their threads in them, journal and audit on the disk. Not real: the threads sleep, and plans come as bytes without a
 * bus.
 */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import path from "node:path";
import type { Guest } from "@kvm-governor/linux";
import { startTimeOf } from "@kvm-governor/linux";
import type { Applied, GuestPlan } from "@kvm-governor/policy";
import { InProcessActuator } from "../support/in-process-actuator.ts";
import { startVmm, type Vmm } from "../support/light-vmm.ts";
import { scientificPlan } from "./bench-plan.ts";
import { below, runBench, type Figures } from "./harness.ts";

const GUESTS = 200;
const VCPUS = 4;
const CPU = "/sys/fs/cgroup/cpu";
const CPUSET = "/sys/fs/cgroup/cpuset";

if (process.getuid?.() !== 0) throw new Error("needs root and cgroup v1");
const name = `kvmgov-bench-${process.pid}`;
const made: string[] = [];

function makeGroup(dir: string): void {
  mkdirSync(dir);
  made.push(dir);
  if (!dir.startsWith(CPUSET)) return;
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    writeFileSync(path.join(dir, file), readFileSync(path.join(path.dirname(dir), file)));
  }
}

/** `NAME/machine/qemu-N/{vcpu0…3,emulator}` in both hierarchies. */
function guestsOf(vmms: readonly Vmm[]): Guest[] {
  for (const top of [CPU, CPUSET]) for (const dir of ["", "machine"]) makeGroup(path.join(top, name, dir));
  return vmms.map(({ pid, tids: all }, at) => {
    const tids = [...all.filter((tid) => tid !== pid), pid];
    const parts = tids.map((_tid, index) => (index < VCPUS ? `vcpu${index}` : "emulator"));
    for (const top of [CPU, CPUSET]) {
      const guest = path.join(top, name, "machine", `qemu-${at}`);
      makeGroup(guest);
      for (const [index, part] of parts.entries()) {
        makeGroup(path.join(guest, part));
        writeFileSync(path.join(guest, part, "tasks"), String(tids[index]));
      }
    }
    return {
      uuid: `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`,
      name: `bench-${at}`,
      source: "libvirt",
      pid,
      startTime: startTimeOf("/proc", pid) ?? 0,
      state: "running",
      vcpus: tids.slice(0, VCPUS).map((tid, index) => ({ index, tid })),
      ioThreads: [],
      emulatorTids: [pid],
    };
  });
}

function planOf(guest: Guest, isEven: boolean): GuestPlan {
  return scientificPlan(guest, {
    vcpus: guest.vcpus.map(({ index }) => ({ index, bandwidth: isEven ? 0.3 : 0.5, cpus: [isEven ? 0 : 1] })),
    weight: isEven ? "idle" : 4,
    emulatorCpus: [isEven ? 1 : 0],
    periodUs: isEven ? 20_000 : 50_000,
  });
}

/** As the bus would bring it: judging and parsing are part of the work. */
async function timed(
  bench: InProcessActuator,
  bytes: Buffer,
): Promise<{ wall: number; cpu: number; applied: Applied }> {
  const cpuFrom = process.cpuUsage();
  const from = performance.now();
  await bench.actuator.receive(bytes);
  const wall = performance.now() - from;
  const { user, system } = process.cpuUsage(cpuFrom);
  return { wall, cpu: (user + system) / 1000, applied: await bench.report() };
}

const errors = ({ writes }: Applied): number => writes.filter(({ error }) => error !== undefined).length;

// As the service does: it runs before the guests.
setPriority(-10);
const vmms: Vmm[] = [];
try {
  while (vmms.length < GUESTS) vmms.push(await startVmm(VCPUS));
  const guests = guestsOf(vmms);
  await using bench = new InProcessActuator({ guests: () => guests });
  let isEven = false;
  const bytesOf = (overrides = {}): Buffer =>
    Buffer.from(
      JSON.stringify(
        bench.plan(
          guests.map((guest) => planOf(guest, isEven)),
          overrides,
        ),
      ),
    );
  await bench.actuator.turn();
  await timed(bench, bytesOf());
  await runBench({
    name: "actuator",
    rounds: 60,
    warmUpRounds: 5,
    arms: [
      {
        name: "nothing changed",
        measure: async (): Promise<Figures> => {
          const { wall, cpu, applied } = await timed(bench, bytesOf());
          const cpuFrom = process.cpuUsage();
          await bench.actuator.turn();
          const { user, system } = process.cpuUsage(cpuFrom);
          return {
            tick_wall_ms: wall,
            tick_cpu_ms: cpu,
            turn_cpu_ms: (user + system) / 1000,
            writes: applied.writes.length,
            verified: applied.verified,
            skipped: applied.skipped.length,
          };
        },
      },
      {
        name: "everything changed",
        measure: async (): Promise<Figures> => {
          isEven = !isEven;
          const { wall, cpu, applied } = await timed(bench, bytesOf());
          const figures = {
            writes: applied.writes.length,
            skipped: applied.skipped.length,
            errors: errors(applied),
          };
          // The tick after it, which looks at everything closely once more.
          await timed(bench, bytesOf());
          return { tick_wall_ms: wall, tick_cpu_ms: cpu, ...figures };
        },
      },
    ],
    aims: (figure) => [
      below(
        "200 guests x 4 vCPUs, nothing changed, wall ms",
        5,
        figure("nothing changed", "tick_wall_ms").median,
      ),
      below("writes where nothing changed", 1, figure("nothing changed", "writes").median),
    ],
  });
} finally {
  await Promise.all(vmms.map((vmm) => vmm.stop()));
  for (const dir of made.toReversed()) await removeGroup(dir);
}

/** A process leaves its groups a moment after it was reaped: EBUSY until then. */
async function removeGroup(dir: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      rmdirSync(dir);
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
