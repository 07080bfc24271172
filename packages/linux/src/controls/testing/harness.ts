/** One guest with two vCPUs in groups of its own, on a kernel model or on the real kernel: cases run over all of them. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { GuestPlaces } from "../places.ts";
import { KernelIo, type ControlIo } from "../kernel-io.ts";
import { KernelModel } from "./kernel-model.ts";

export interface Harness extends AsyncDisposable {
  version: 1 | 2;
  io: ControlIo;
  places: GuestPlaces;
  /** Raw text of a file, set before the case begins; order is the caller's. */
  set(file: string, text: string): void;
  cpuDir: string;
  cpusetDir: string;
}

export interface HarnessKind {
  name: string;
  version: 1 | 2;
  start(): Harness | Promise<Harness>;
}

const VCPUS = [0, 1];

function placesIn(
  version: 1 | 2,
  cpuDir: string,
  cpusetDir: string,
  tids: readonly number[],
  emulatorTids: readonly number[] = [],
): GuestPlaces {
  return {
    weight: { version, dir: cpuDir },
    bandwidth: new Map(VCPUS.map((index) => [index, { version, dir: join(cpuDir, `vcpu${index}`) }])),
    vcpuCpus: new Map(
      VCPUS.map((index) => [
        index,
        {
          target: `vcpu ${index}`,
          group: { version, dir: join(cpusetDir, `vcpu${index}`) },
          tids: tids[index] === undefined ? [] : [tids[index]],
        },
      ]),
    ),
    emulatorCpus: {
      target: "emulator",
      group: { version, dir: join(cpusetDir, "emulator") },
      tids: emulatorTids,
    },
    ioThreadCpus: [],
    mountPoints: [dirname(cpuDir), dirname(cpusetDir)],
  };
}

function modelHarness(version: 1 | 2, options: { hasBurstBug?: boolean } = {}): Harness {
  const io = new KernelModel(version, options);
  io.addGroup("/g", { cpus: [0, 1, 2, 3] });
  for (const [at, name] of ["vcpu0", "vcpu1", "emulator"].entries()) {
    io.addGroup(`/g/${name}`, { tids: [100 + at] });
    io.affinity.set(100 + at, [0, 1, 2, 3]);
  }
  return {
    version,
    io,
    places: placesIn(version, "/g", "/g", [100, 101], [102]),
    set: (file, text) => io.write({ op: "file", target: "", setting: "cpus", key: file, text }),
    cpuDir: "/g",
    cpusetDir: "/g",
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const V1_CPU = "/sys/fs/cgroup/cpu";
const V1_CPUSET = "/sys/fs/cgroup/cpuset";

/** Whether this process may make groups of the real kernel's v1. */
export function hasRealV1(): boolean {
  return process.getuid?.() === 0 && [V1_CPU, V1_CPUSET].every((dir) => existsSync(join(dir, "tasks")));
}

let made = 0;

/** Groups under a name of the test's own, with one sleeping process in each; removed afterwards. */
function realV1Harness(): Harness {
  const name = `kvmgov-test-${process.pid}-${made++}`;
  const [cpuDir, cpusetDir] = [join(V1_CPU, name), join(V1_CPUSET, name)];
  const inherited = ["cpuset.cpus", "cpuset.mems"].map((file) => [file, readFileSync(join(V1_CPUSET, file))]);
  const dirs: string[] = [];
  for (const base of [cpuDir, cpusetDir]) {
    for (const part of ["", "vcpu0", "vcpu1", "emulator"]) {
      const dir = join(base, part);
      mkdirSync(dir);
      dirs.unshift(dir);
      if (base === cpusetDir)
        for (const [file, text] of inherited) writeFileSync(join(dir, String(file)), text ?? "");
    }
  }
  const sleepers = VCPUS.map(() => spawn("sleep", ["60"], { stdio: "ignore" }));
  const tids = sleepers.map((child) => child.pid ?? 0);
  for (const index of VCPUS) {
    for (const base of [cpuDir, cpusetDir])
      writeFileSync(join(base, `vcpu${index}`, "tasks"), String(tids[index]));
  }
  const io = new KernelIo("write");
  return {
    version: 1,
    io,
    places: placesIn(1, cpuDir, cpusetDir, tids),
    set: (file, text) => writeFileSync(file, text),
    cpuDir,
    cpusetDir,
    [Symbol.asyncDispose]: async () => {
      io.close();
      await Promise.all(
        sleepers.map((child) => {
          const ended = new Promise((resolve) => child.once("exit", resolve));
          child.kill("SIGKILL");
          return ended;
        }),
      );
      for (const dir of dirs) await removeGroup(dir);
    },
  };
}

/** A process leaves its group a moment after it was reaped: EBUSY until then. */
async function removeGroup(dir: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      rmdirSync(dir);
      return;
    } catch (error) {
      if (attempt === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

export const MODEL_KINDS: HarnessKind[] = [
  { name: "model of v1", version: 1, start: () => modelHarness(1) },
  { name: "model of v2", version: 2, start: () => modelHarness(2) },
  { name: "model of v2 with the burst bug", version: 2, start: () => modelHarness(2, { hasBurstBug: true }) },
];

export const ALL_KINDS: HarnessKind[] = hasRealV1()
  ? [...MODEL_KINDS, { name: "real kernel, v1", version: 1, start: () => realV1Harness() }]
  : MODEL_KINDS;
