/** Threads that a guest makes while it is held by affinity, on the real kernel: they go back with the others. */
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { affinityKey, KernelIo, startTimeOf, type Guest } from "@kvm-governor/linux";
import type { GuestPlan } from "@kvm-governor/policy";
import { InProcessActuator } from "../../../test/support/in-process-actuator.ts";
import { waitFor } from "../../../test/support/service-process.ts";
import { onCpu0 } from "../../../test/support/sleeping-guest.ts";

/** Makes a thread for each line that it reads. */
const MAKER = `
  const { Worker } = require("node:worker_threads");
  process.stdin.on("data", () => new Worker("setInterval(() => undefined, 1e9)", { eval: true }));
  process.stdout.write("ready");
`;

let child: ChildProcess;
let io: KernelIo;

beforeEach(async () => {
  io = new KernelIo("read");
  child = spawn(process.execPath, ["-e", MAKER], { stdio: ["pipe", "pipe", "inherit"] });
  if (child.stdout !== null) await once(child.stdout, "data");
});
afterEach(async () => {
  child.kill("SIGKILL");
  await once(child, "exit");
  io.close();
});

const tids = (): number[] => readdirSync(`/proc/${child.pid}/task`).map(Number);
const affinity = (tid: number): string => io.read(affinityKey(tid)) ?? "";

/** The child as a guest; these of its threads are vCPUs. */
const guestWith = (vcpus: readonly number[]): Guest => ({
  uuid: "5a1c0f6e-0000-4000-8000-000000000001",
  name: "maker",
  source: "qemu",
  pid: child.pid ?? 0,
  startTime: startTimeOf("/proc", child.pid ?? 0) ?? 0,
  state: "running",
  vcpus: vcpus.map((tid, index) => ({ index, tid })),
  ioThreads: [],
  emulatorTids: tids().filter((tid) => !vcpus.includes(tid)),
});

/** @returns a thread that was not there before */
async function makeThread(): Promise<number> {
  const before = tids();
  child.stdin?.write("\n");
  return waitFor("a new thread", 5000, () => tids().find((tid) => !before.includes(tid)));
}

it("goes back with the others, also one that was plugged in as a vCPU, and one that nobody noticed", async () => {
  const first = affinity(child.pid ?? 0);
  const [vcpu = 0] = tids().slice(1);
  let guest = guestWith([vcpu]);
  await using bench = new InProcessActuator({ guests: () => [guest] });
  const apply = (overrides: Partial<GuestPlan> = {}) =>
    bench.apply(bench.plan([{ ...onCpu0(guest), emulatorCpus: [0], ...overrides }]));
  await apply();
  const worker = await makeThread();
  const plugged = await makeThread();
  // Inherited, not written.
  expect([worker, plugged].map(affinity)).toEqual(["0", "0"]);
  guest = guestWith([vcpu, plugged]);
  await bench.actuator.turn();
  expect((await apply()).writes).toEqual([]);
  await apply({ emulatorCpus: "baseline" });
  expect([child.pid ?? 0, worker, plugged].map(affinity)).toEqual([first, first, "0"]);
  await apply();
  const unnoticed = await makeThread();
  expect(affinity(unnoticed)).toBe("0");
  expect(await bench.actuator.stop()).toBe(true);
  expect(new Set(tids().map(affinity))).toEqual(new Set([first]));
});
