/**
 * Declared latency on real KVM guests: a web guest in bursts beside a solver that wants every CPU. What the web guest waited is
 * counted in periods, from the kernel's own figures: without us, with us and nothing declared, and with a declared delay. Without us it waits
 * longer than it may; with us and nothing declared hardly at all; with the declaration longer than that, and no longer than it may.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, getPriority, setPriority } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { WEB, startLibvirt } from "@kvm-governor/lab";
import type { Guest, Libvirt } from "@kvm-governor/lab";
import type { Declared, Plan } from "@kvm-governor/policy";
import { ControlPlane } from "../support/control-plane.ts";
import { cpuWindows } from "../support/cpu-time.ts";
import { NO_CHANGES, changesSince, machineState } from "../support/machine-state.ts";
import type { MachineState } from "../support/machine-state.ts";
import { describeWith } from "../support/requirements.ts";
import { ServiceProcess, waitFor } from "../support/service-process.ts";

jest.setTimeout(300_000);

const HOST = "latency";
const PERIOD_MS = 100;
/** Beside a guest of the same weight the web guest waits a third of a burst, at a quarter of the weight a ninth. */
const SLA_DELAY = 0.15;
const COUNTED = 120;
const EXCEEDED_MAX = 0.03;
/** Rungs up to there, a hundred periods each, and as much again for bad luck. */
const RISE_S_MAX = 70;
/** The test's guests before all other work of this machine, and the services before these: only they shall be seen. */
const LAB_SHARES = 65_536;
const SERVICE_NICE = -15;

/** What happened in some periods. */
interface Outcome {
  /** Part of the periods in which the web guest waited longer than it may. */
  exceeded: number;
  /** Work of the solver, in rounds that its vCPUs did together. */
  roundsPerS: number;
  switchesPerS: number;
  /** What the web guest ran, and waited to run, as parts of its vCPU. */
  webUsage: number;
  webWaited: number;
}

describeWith(["root", "kvm", "cgroup-v1", "lab", "servers"], "declared latency", () => {
  let before: MachineState;
  let libvirt: Libvirt;
  let web: Guest;
  let solver: Guest;
  let plane: ControlPlane;
  let classifier: ServiceProcess;
  const services: ServiceProcess[] = [];
  const niceBefore = getPriority();

  const policyFile = (): string => path.join(plane.dir, "policy.yaml");
  /** Other guests may run on this machine: they are not ours. */
  const writePolicy = (declared: Partial<Declared>): void => {
    const rules = [
      { match: { uuid: web.uuid }, class: "service", ...declared },
      { match: { uuid: solver.uuid }, class: "scientific" },
      { match: { name: "*" }, class: "exempt" },
    ];
    writeFileSync(policyFile(), JSON.stringify({ rules }));
  };
  const weightOf = (plan: Plan | undefined): unknown =>
    plan?.guests.find(({ uuid }) => uuid === solver.uuid)?.weight;

  beforeAll(async () => {
    before = machineState();
    libvirt = await startLibvirt();
    writeFileSync(`/sys/fs/cgroup/cpu/${libvirt.cgroup}/cpu.shares`, String(LAB_SHARES));
    setPriority(SERVICE_NICE);
    web = await libvirt.defineAndStart({ name: "web", load: { ...WEB, cycleMs: 300 } });
    solver = await libvirt.defineAndStart({ name: "solver", load: { vcpus: availableParallelism() } });
    solver.load.setLoad(100);
    plane = await ControlPlane.start();
  });
  afterAll(async () => {
    for (const service of services.toReversed()) await service.stop();
    await plane?.stop();
    await libvirt?.stop();
    setPriority(niceBefore);
    expect(await changesSince(before)).toEqual(NO_CHANGES);
  });

  async function startServices(): Promise<void> {
    const common = { KVMGOV_CHECK_PERIOD_MS: String(PERIOD_MS) };
    const host = {
      ...common,
      KVMGOV_HOST_ID: HOST,
      KVMGOV_NATS_URL: plane.nats.url,
      KVMGOV_NATS_USER: plane.nats.user,
      KVMGOV_NATS_PASSWORD: plane.nats.password,
      KVMGOV_STATE_DIR: path.join(plane.dir, "state"),
      KVMGOV_RUN_DIR: path.join(plane.dir, "run"),
      KVMGOV_LIBVIRT_RUN_DIR: path.join(libvirt.runDir, "qemu"),
      KVMGOV_POLICY_FILE: policyFile(),
    };
    mkdirSync(host.KVMGOV_STATE_DIR, { recursive: true });
    classifier = await plane.classifier(common);
    services.push(
      await ServiceProcess.start("actuator", host),
      await ServiceProcess.start("collector", host),
    );
  }

  /**
   * Waits until the solver has a quarter of the weight that it has by itself. Where other work of the machine keeps the web guest waiting
   * as well, the feedback stays lower, goes up and down: then any weight is enough.
   */
  async function risen(): Promise<void> {
    const seen: string[] = [];
    for (let second = 0; second < RISE_S_MAX; second++) {
      await sleep(1000);
      const text = await classifier.metrics();
      const value = (family: string): string =>
        new RegExp(`^${family}\\{.*\\} (.*)$`, "m").exec(text)?.[1] ?? "none";
      seen.push(`${value("kvmgov_host_delay_rung")}: ${value("kvmgov_guest_delay_ratio")}`);
      const weight = Number(weightOf(await plane.plan(HOST)));
      if (weight >= (second < RISE_S_MAX / 2 ? 0.25 : 0.125)) return;
    }
    throw new Error(`the solver got no weight; rung and delay by the second: ${seen.join(", ")}`);
  }

  async function counted(): Promise<Outcome> {
    const from = { work: await solver.load.work(), switches: switchesOf(solver), ms: performance.now() };
    const [tid = 0] = web.vcpuTids;
    const windows = await cpuWindows(tid, PERIOD_MS, COUNTED);
    const work = await solver.load.work();
    const seconds = (performance.now() - from.ms) / 1000;
    return {
      exceeded: windows.filter(({ usage, demand }) => demand - usage > SLA_DELAY).length / COUNTED,
      roundsPerS: (work.rounds - from.work.rounds) / seconds,
      switchesPerS: (switchesOf(solver) - from.switches) / seconds,
      webUsage: windows.reduce((sum, { usage }) => sum + usage, 0) / COUNTED,
      webWaited: windows.reduce((sum, { usage, demand }) => sum + demand - usage, 0) / COUNTED,
    };
  }

  test("is held, and what it leaves goes to the scientific guest", async () => {
    const kernel = await counted();
    writePolicy({});
    await startServices();
    await waitFor("the solver to rank last", 20_000, async () =>
      weightOf(await plane.plan(HOST)) === "idle" ? true : undefined,
    );
    await sleep(1000);
    const off = await counted();
    writePolicy({ slaDelay: SLA_DELAY });
    for (const service of services) service.signal("SIGHUP");
    await risen();
    const on = await counted();
    const plan = await plane.plan(HOST);
    process.stdout.write(`${JSON.stringify({ kernel, off, on, weight: weightOf(plan) })}\n`);
    // One period in a hundred may exceed; of so few, three. Without us, what was declared is not kept.
    expect(kernel.exceeded).toBeGreaterThan(0.05);
    expect(on.exceeded).toBeLessThanOrEqual(EXCEEDED_MAX);
    expect(off.exceeded).toBeLessThanOrEqual(EXCEEDED_MAX);
    // What was declared is made use of: with us and nothing declared, the web guest waits less and the solver does less.
    expect(on.webWaited).toBeGreaterThan(1.5 * off.webWaited);
    expect(on.roundsPerS).toBeGreaterThan(1.05 * off.roundsPerS);
    expect(plan?.guests.find(({ uuid }) => uuid === web.uuid)).toMatchObject({ slaDelay: SLA_DELAY });
  });
});

/** Context switches of a guest's vCPUs so far, of either kind. */
function switchesOf({ pid, vcpuTids }: Guest): number {
  return vcpuTids.reduce((sum, tid) => {
    const status = readFileSync(`/proc/${pid}/task/${tid}/status`, "utf8");
    return [...status.matchAll(/ctxt_switches:\s+(\d+)/g)].reduce(
      (all, [, count]) => all + Number(count),
      sum,
    );
  }, 0);
}
