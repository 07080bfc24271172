/** The lab keeps its promises: loads are what they claim, limits bite, instances are apart, and nothing stays behind. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  type Guest,
  type Libvirt,
  PC,
  SCIENTIFIC,
  WEB,
  startBareQemu,
  startLibvirt,
} from "@kvm-governor/lab";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { cpuShare, cpuShares, cpuWindows } from "../support/cpu-time.ts";
import {
  type MachineState,
  NO_CHANGES,
  changesSince,
  isAlive,
  machineState,
} from "../support/machine-state.ts";
import { describeWith } from "../support/requirements.ts";

const START_MS = 90_000;

describeWith(["root", "kvm", "cgroup-v1", "lab"], "a private libvirt", () => {
  let before: MachineState;
  let libvirt: Libvirt;
  let guests: Record<"controlled" | "pc" | "web" | "solver", Guest>;

  beforeAll(async () => {
    before = machineState();
    libvirt = await startLibvirt();
    guests = {
      controlled: await libvirt.defineAndStart({
        name: "controlled",
        policy: { class: "service", slaCores: 0.9 },
      }),
      pc: await libvirt.defineAndStart({ name: "pc", load: PC }),
      web: await libvirt.defineAndStart({ name: "web", load: WEB }),
      solver: await libvirt.defineAndStart({ name: "solver", load: SCIENTIFIC }),
    };
    await guests.solver.load.work(); // all four are up
  }, START_MS);

  afterAll(async () => {
    await libvirt?.stop();
    expect(await changesSince(before)).toEqual(NO_CHANGES);
  }, START_MS);

  test("vCPU threads are named as KVM's, and in a cgroup of the instance", () => {
    for (const { pid, vcpuTids } of Object.values(guests)) {
      vcpuTids.forEach((tid, vcpu) => {
        expect(readFileSync(`/proc/${pid}/task/${tid}/comm`, "utf8")).toBe(`CPU ${vcpu}/KVM\n`);
        const groups = readFileSync(`/proc/${pid}/task/${tid}/cgroup`, "utf8");
        expect(groups).toMatch(
          new RegExp(`cpu:/${libvirt.cgroup}/machine/qemu-\\d+-\\w+\\.libvirt-qemu/vcpu${vcpu}\n`),
        );
      });
    }
    expect(guests.solver.vcpuTids).toHaveLength(2);
  });

  test("status files are seen from outside, with the declared policy", () => {
    const status = readFileSync(path.join(libvirt.runDir, "qemu/controlled.xml"), "utf8");
    expect(status).toContain(`<uuid>${guests.controlled.uuid}</uuid>`);
    expect(status).toMatch(
      /<kvmgov:policy xmlns:kvmgov="[^"]+\/policy\/1" class="service" slaCores="0.9"\/>/,
    );
  });

  test("a load follows the steering: halted, a part, full, halted", async () => {
    const [tid = 0] = guests.controlled.vcpuTids;
    expect((await cpuShare(tid, 1000)).usage).toBeLessThan(0.03);
    for (const percent of [100, 30]) {
      guests.controlled.load.setLoad(percent);
      await sleep(100);
      const share = await cpuShare(tid, 2000);
      // Who waits for a CPU wants more of it and gets less: so it ran at most, and wanted at least, what was set.
      expect(share.usage).toBeLessThan(percent / 100 + 0.08);
      expect(share.demand).toBeGreaterThan(percent / 100 - 0.08);
    }
    guests.controlled.load.setLoad(0);
    await sleep(100);
    expect((await cpuShare(tid, 1000)).usage).toBeLessThan(0.03);
  }, 20_000);

  test("the PC is light and regular, the web server busy in bursts", async () => {
    const [pc, web] = await Promise.all([windowsOf(guests.pc), windowsOf(guests.web)]);
    expect(mean(pc.demands)).toBeGreaterThan(0.1);
    expect(mean(pc.usages)).toBeLessThan(0.25);
    expect(Math.max(...pc.usages)).toBeLessThan(0.5);
    expect(mean(web.demands)).toBeGreaterThan(0.25);
    expect(mean(web.usages)).toBeLessThan(0.6);
    expect(Math.max(...web.demands)).toBeGreaterThan(0.85);
    expect(Math.min(...web.usages)).toBeLessThan(0.1);
  }, 20_000);

  test("a quota of 25 % bites", async () => {
    const [tid = 0] = guests.controlled.vcpuTids;
    guests.controlled.load.setLoad(100);
    await libvirt.virsh(["schedinfo", "controlled", "vcpu_quota=25000"]);
    await sleep(200);
    const limited = await cpuShare(tid, 2000);
    await libvirt.virsh(["schedinfo", "controlled", "vcpu_quota=-1"]);
    await sleep(200);
    const free = await cpuShare(tid, 1000);
    guests.controlled.load.setLoad(0);
    expect(limited.usage).toBeLessThan(0.28);
    expect(limited.usage).toBeGreaterThan(0.1);
    expect(free.demand).toBeGreaterThan(0.8);
  }, 20_000);

  test("the solver starts, stops, starts again, and all its vCPUs are busy", async () => {
    for (const percent of [100, 0, 100, 0]) {
      guests.solver.load.setLoad(percent);
      await sleep(100);
      for (const share of await cpuShares(guests.solver.vcpuTids, 1000)) {
        if (percent === 0) expect(share.usage).toBeLessThan(0.03);
        else expect(share.demand).toBeGreaterThan(0.9);
      }
    }
  }, 20_000);

  test("the solver's vCPUs meet at a barrier: one that is starved holds up both", async () => {
    guests.solver.load.setLoad(100);
    const free = await roundsPerSecond(guests.solver);
    const group = `/sys/fs/cgroup/cpu${cgroupOf(guests.solver.vcpuTids[1] ?? 0)}`;
    writeFileSync(`${group}/cpu.cfs_period_us`, "1000000");
    writeFileSync(`${group}/cpu.cfs_quota_us`, "1000");
    await sleep(200);
    const held = await roundsPerSecond(guests.solver);
    const [first] = await cpuShares(guests.solver.vcpuTids, 1000);
    writeFileSync(`${group}/cpu.cfs_quota_us`, "-1");
    writeFileSync(`${group}/cpu.cfs_period_us`, "100000");
    guests.solver.load.setLoad(0);
    expect(free).toBeGreaterThan(40);
    expect(held).toBeLessThan(20);
    expect(first?.demand).toBeGreaterThan(0.9); // it spins while it waits
  }, 20_000);

  test("a guest may have any name that libvirt takes", async () => {
    const name = `a:b,c="d" <&'`;
    const guest = await libvirt.defineAndStart({ name });
    expect(guest.name).toBe(name);
    expect(existsSync(path.join(libvirt.runDir, `qemu/${name}.xml`))).toBe(true);
    await libvirt.destroy(name);
    await expect(libvirt.defineAndStart({ name: "a\nb" })).rejects.toThrow("invalid char in name");
  }, 20_000);

  test("a guest that was destroyed starts again as a new process", async () => {
    const first = await libvirt.defineAndStart({ name: "again" });
    await libvirt.destroy("again");
    expect(isAlive(first.pid)).toBe(false);
    const second = await libvirt.start("again");
    expect(second.pid).not.toBe(first.pid);
    expect(second.uuid).toBe(first.uuid);
    await libvirt.destroy("again");
  }, 20_000);

  test(
    "a second instance is apart: same guest names, and its end touches nothing of the first",
    async () => {
      const second = await startLibvirt();
      const twin = await second.defineAndStart({ name: "pc", load: PC });
      expect(twin.pid).not.toBe(guests.pc.pid);
      await second.stop();
      expect(isAlive(twin.pid)).toBe(false);
      expect((await libvirt.virsh(["domstate", "pc"])).stdout.trim()).toBe("running");
      expect((await cpuShare(guests.pc.vcpuTids[0] ?? 0, 1000)).demand).toBeGreaterThan(0.05);
    },
    START_MS,
  );

  test("tuning, pins and I/O threads arrive in the kernel", async () => {
    const cputune = { shares: 512, quotaUs: 30_000, periodUs: 50_000, vcpupin: [{ vcpu: 0, cpuset: "0" }] };
    const guest = await libvirt.defineAndStart({ name: "tuned", cputune, iothreads: 1 });
    const [tid = 0] = guest.vcpuTids;
    const read = (file: string): string =>
      readFileSync(`/sys/fs/cgroup/cpu${cgroupOf(tid)}/${file}`, "utf8").trim();
    expect([read("cpu.cfs_quota_us"), read("cpu.cfs_period_us"), read("../cpu.shares")]).toEqual([
      "30000",
      "50000",
      "512",
    ]);
    expect(readFileSync(`/proc/${tid}/status`, "utf8")).toMatch(/^Cpus_allowed_list:\t0$/m);
    expect(existsSync(`/sys/fs/cgroup/cpu${cgroupOf(tid)}/../iothread1`)).toBe(true);
    await libvirt.destroy("tuned");
  }, 20_000);
});

describeWith(["kvm", "lab"], "a QEMU without libvirt", () => {
  test.each([true, false])(
    "runs a steered guest of two vCPUs; named threads: %s",
    async (debugThreads) => {
      const uuid = "8f3b53dd-bf3c-416d-b506-82034618ec2c";
      const qemu = await startBareQemu({ name: "bare,1", uuid, debugThreads, load: { vcpus: 2 } });
      try {
        const comms = qemu.vcpuTids.map((tid) => readFileSync(`/proc/${tid}/comm`, "utf8").trim());
        expect(comms).toEqual(
          debugThreads ? ["CPU 0/KVM", "CPU 1/KVM"] : ["qemu-system-x86", "qemu-system-x86"],
        );
        qemu.load.setLoad(100);
        await sleep(200);
        for (const share of await cpuShares(qemu.vcpuTids, 500)) expect(share.demand).toBeGreaterThan(0.75);
      } finally {
        await qemu.stop();
      }
      expect(isAlive(qemu.pid)).toBe(false);
    },
    20_000,
  );
});

describeWith(["root", "kvm", "cgroup-v1", "lab", "servers"], "a process killed without warning", () => {
  test(
    "leaves no guest, server, group, mount or directory",
    async () => {
      const before = machineState();
      const dir = mkdtempSync(path.join(tmpdir(), "kvmgov-data-"));
      const script = fileURLToPath(new URL("../support/lab-child.ts", import.meta.url));
      const child = spawn(process.execPath, [script, dir], { stdio: ["ignore", "pipe", "inherit"] });
      await once(child.stdout, "data");
      const during = machineState();
      child.kill("SIGKILL");
      await once(child, "exit");
      const changes = await changesSince(before, 10_000);
      rmSync(dir, { recursive: true });
      expect(changes).toEqual(NO_CHANGES);
      const programs = during.processes.map((line) => line.split(" ")[0] ?? "");
      expect(programs.toSorted((a, b) => a.localeCompare(b))).toEqual([
        "libvirtd",
        "nats-server",
        "qemu-system-x86",
        "qemu-system-x86",
        "redis-server",
      ]);
    },
    START_MS,
  );
});

/** What a guest of one vCPU got and wanted in 40 windows of 200 ms. */
async function windowsOf(guest: Guest): Promise<{ usages: number[]; demands: number[] }> {
  const windows = await cpuWindows(guest.vcpuTids[0] ?? 0, 200, 40);
  return { usages: windows.map((share) => share.usage), demands: windows.map((share) => share.demand) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

async function roundsPerSecond(guest: Guest): Promise<number> {
  const before = await guest.load.work();
  const started = Date.now();
  await sleep(1500);
  const after = await guest.load.work();
  return (after.rounds - before.rounds) / ((Date.now() - started) / 1000);
}

function cgroupOf(tid: number): string {
  const group = /^\d+:cpu(?:,cpuacct)?:(.*)$/m.exec(readFileSync(`/proc/${tid}/cgroup`, "utf8"))?.[1];
  if (group === undefined) throw new Error(`thread ${tid} is in no cpu cgroup`);
  return group;
}
