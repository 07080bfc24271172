/** Every write of a tick fails in turn, on real guests: nobody is left below a floor, the error is named, the next tick heals. */
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync, rmdirSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { startLibvirt, type Guest, type Libvirt } from "@kvm-governor/lab";
import { GuestWatcher, KernelIo } from "@kvm-governor/linux";
import type { Applied, GuestPlan } from "@kvm-governor/policy";
import { FailingFiles } from "../../packages/linux/src/journal/testing/failing-files.ts";
import { baselinePlan, kernelState } from "../support/actuator-bench.ts";
import { FaultyIo, type Fault } from "../support/faulty-io.ts";
import { InProcessActuator, scratchDir } from "../support/in-process-actuator.ts";
import { changesSince, machineState, NO_CHANGES, type MachineState } from "../support/machine-state.ts";
import { describeWith } from "../support/requirements.ts";

jest.setTimeout(120_000);

/** Of the service: what no state on the way may take from it. */
const FLOOR_CORES = 0.6;
/** Of every vCPU. */
const VCPU_FLOOR_CORES = 0.05;

describeWith(["root", "kvm", "cgroup-v1", "lab"], "writes that fail", () => {
  let before: MachineState;
  let libvirt: Libvirt;
  let service: Guest;
  let solver: Guest;
  let untouched: Record<string, string>;
  let watcher: GuestWatcher;

  const guests = () => {
    watcher.refresh();
    return watcher.inventory.guests;
  };
  const state = (): Record<string, string> => ({ ...kernelState(service), ...kernelState(solver) });

  const planOf = (guest: Guest, parts: number[], cpu: number, rest: Partial<GuestPlan>): GuestPlan => ({
    ...baselinePlan(guest),
    vcpus: parts.map((bandwidth, index) => ({ index, bandwidth, cpus: [(cpu + index) % 2] })),
    emulatorCpus: [cpu],
    ioThreadCpus: [cpu],
    ...rest,
  });
  /** The service's vCPUs trade places: each way one gives what the other gets. */
  const planA = (): GuestPlan[] => [
    planOf(service, [0.1, 0.5], 0, { class: "service", weight: 4, periodUs: 20_000 }),
    planOf(solver, [0.3, 0.3], 0, { weight: "idle", periodUs: 50_000 }),
  ];
  const planB = (): GuestPlan[] => [
    planOf(service, [0.5, 0.1], 1, { class: "service", weight: 8, periodUs: 40_000 }),
    planOf(solver, [0.6, 0.2], 1, { weight: 2, periodUs: 100_000 }),
  ];

  beforeAll(async () => {
    before = machineState();
    libvirt = await startLibvirt();
    service = await libvirt.defineAndStart({ name: "service", load: { vcpus: 2 }, iothreads: 1 });
    solver = await libvirt.defineAndStart({ name: "solver", load: { vcpus: 2 }, cputune: { shares: 512 } });
    watcher = new GuestWatcher({ libvirtRunDir: path.join(libvirt.runDir, "qemu") });
    untouched = state();
  }, 120_000);

  afterAll(async () => {
    watcher?.close();
    await libvirt?.stop();
    expect(await changesSince(before)).toEqual(NO_CHANGES);
  }, 60_000);

  /** What is not as it must be at this moment, from the kernel's own files. */
  function dangers(): string[] {
    const floors = [
      [service, FLOOR_CORES],
      [solver, 0],
    ] as const;
    const low = floors.flatMap(([guest, floor]) => {
      const ratios = guest.vcpuTids.map((tid) => ratioOf(guest.pid, tid));
      const total = ratios.reduce((sum, ratio) => sum + Math.min(1, ratio), 0);
      const isLow = total < floor - 1e-9 || ratios.some((ratio) => ratio < VCPU_FLOOR_CORES - 1e-9);
      return isLow ? [`${guest.name} has ${ratios.join(" and ")} cores`] : [];
    });
    const empty = Object.entries(state()).flatMap(([file, text]) =>
      (file.endsWith("cpuset.cpus") || file.startsWith("affinity")) && text.trim() === "" ? file : [],
    );
    return [...low, ...empty];
  }

  const errorsOf = ({ writes }: Applied): string[] => writes.flatMap(({ error }) => error ?? []);

  describe.each<Fault>(["EINVAL", "EBUSY", "ENOENT", "EPERM", "kernel"])("with %s", (fault) => {
    test("at every control write in turn", async () => {
      const io = new FaultyIo(new KernelIo("write"));
      const limits = {
        floorCores: VCPU_FLOOR_CORES,
        guests: [{ guest: service.uuid, floorCores: FLOOR_CORES }],
      };
      await using bench = new InProcessActuator({ guests, io, limits });
      await bench.apply(bench.plan(planA()));
      const stateA = state();
      io.failAt(undefined);
      await bench.apply(bench.plan(planB()));
      const stateB = state();
      const writes = io.writes;
      expect(writes).toBeGreaterThan(15);
      for (let at = 0; at < 2 * writes; at++) {
        const isToB = at % 2 === 1;
        const plan = bench.plan(isToB ? planB() : planA());
        io.failAt(fault, Math.floor(at / 2));
        const seen: string[] = [];
        // What is thrown in the middle of a write would be taken for the kernel's refusal.
        io.afterWrite = () => seen.push(...dangers());
        const applied = await bench.apply(plan);
        io.afterWrite = () => undefined;
        expect(seen).toEqual([]);
        expect(applied.skipped).toEqual([]);
        // Some way back is a write shorter.
        if (io.writes > Math.floor(at / 2)) {
          expect(errorsOf(applied).join()).toMatch(fault === "kernel" ? /EINVAL|ENOSPC/ : fault);
        }
        io.failAt(undefined);
        const healed = await bench.apply({ ...plan, sequence: plan.sequence + 1 });
        expect(errorsOf(healed)).toEqual([]);
        expect(state()).toEqual(isToB ? stateB : stateA);
      }
    });
  });

  test("a control write that fails once as the actuator stops, at each in turn: it is made all the same", async () => {
    let writes = 1;
    for (let at = -1; at < writes; at++) {
      const io = new FaultyIo(new KernelIo("write"));
      await using bench = new InProcessActuator({ guests, io });
      await bench.apply(bench.plan(planA()));
      expect(state()).not.toEqual(untouched);
      io.failAt(at < 0 ? undefined : "EBUSY", at);
      expect(await bench.actuator.stop()).toBe(true);
      if (at < 0) writes = io.writes;
      expect(state()).toEqual(untouched);
    }
    expect(writes).toBeGreaterThan(15);
  });

  test("a journal that cannot be written, at each of its file operations: nothing is written to the guest, the next tick heals", async () => {
    const files = new FailingFiles();
    let operations = 0;
    for (let failing = -1; failing < operations || failing < 0; failing++) {
      await using bench = new InProcessActuator({ guests, journalFiles: files });
      const first = files.asked.length;
      files.fails = (_, at) => (failing >= 0 && at === first + failing ? "ENOSPC" : undefined);
      files.bytesBefore = 40;
      const plan = bench.plan(planA());
      const applied = await bench.apply(plan);
      if (failing < 0) operations = files.asked.length - first;
      else {
        expect(applied.skipped).toMatchObject([{ reason: expect.stringContaining("ENOSPC") }]);
        const [skipped] = applied.skipped;
        const guest = skipped?.name === "service" ? service : solver;
        expect(kernelState(guest)).toEqual(
          Object.fromEntries(Object.keys(kernelState(guest)).map((key) => [key, untouched[key]])),
        );
      }
      files.fails = () => undefined;
      const healed = await bench.apply({ ...plan, sequence: plan.sequence + 1 });
      expect(healed.skipped).toEqual([]);
      expect(await bench.actuator.stop()).toBe(true);
      expect(state()).toEqual(untouched);
    }
    expect(operations).toBeGreaterThan(4);
  });

  test("a disk that is really full: nothing is written to guests until there is room again", async () => {
    const dir = scratchDir();
    const filler = path.join(dir, "filler");
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k,mode=700", "kvmgov-test", dir]);
    try {
      await using bench = new InProcessActuator({ guests, dir: path.join(dir, "state") });
      fill(filler);
      const plan = bench.plan(planA());
      const refused = await bench.apply(plan);
      expect(refused.skipped.map(({ reason }) => reason)).toEqual(
        Array(2).fill(expect.stringContaining("no space left on device")),
      );
      expect(state()).toEqual(untouched);
      rmSync(filler);
      const healed = await bench.apply({ ...plan, sequence: plan.sequence + 1 });
      expect(errorsOf(healed)).toEqual([]);
      expect(healed.skipped).toEqual([]);
      // With the baselines on the disk, a full one does not keep guests from going back.
      fill(filler);
      expect(await bench.actuator.stop()).toBe(true);
      expect(bench.audit.failures).toBeGreaterThan(0);
      expect(state()).toEqual(untouched);
    } finally {
      execFileSync("umount", [dir]);
      rmdirSync(dir);
    }
  });

  test("an audit that cannot be written hinders nothing and is counted", async () => {
    const files = new FailingFiles();
    files.fails = () => "ENOSPC";
    await using bench = new InProcessActuator({ guests, auditFiles: files });
    const applied = await bench.apply(bench.plan(planA()));
    expect(errorsOf(applied)).toEqual([]);
    expect(bench.audit.failures).toBe(applied.writes.length);
    expect(await bench.actuator.stop()).toBe(true);
    expect(state()).toEqual(untouched);
  });
});

/** Writes until there is no room for one more byte. */
function fill(file: string): void {
  const descriptor = openSync(file, "w");
  try {
    expect(() => {
      for (;;) writeSync(descriptor, Buffer.alloc(512));
    }).toThrow("ENOSPC");
  } finally {
    closeSync(descriptor);
  }
}

/** Part of a CPU that a vCPU's group may have, from the kernel's files. */
function ratioOf(pid: number, tid: number): number {
  const lines = readFileSync(`/proc/${pid}/task/${tid}/cgroup`, "utf8").split("\n");
  const group = lines.find((line) => line.split(":")[1] === "cpu")?.split(":")[2] ?? "";
  const read = (file: string): number =>
    Number(readFileSync(path.join("/sys/fs/cgroup/cpu", group, file), "utf8"));
  const quota = read("cpu.cfs_quota_us");
  return quota < 0 ? Infinity : quota / read("cpu.cfs_period_us");
}
