/**
 * Kills or freezes the actuator at random moments while every tick changes everything, has somebody restore, and compares every byte with
 * the baseline. Where a moment lay is told by the kernel alone: a state that is neither the baseline nor one of the two plans lies
 * between a tick's first and last write.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import path from "node:path";
import type { Guest, Libvirt } from "@kvm-governor/lab";
import { getAffinity, setAffinity, takeOver } from "@kvm-governor/linux";
import type { GuestPlan } from "@kvm-governor/policy";
import { type ActuatorBench, heldPlan, kernelState } from "./actuator-bench.ts";
import { runKvmgov } from "./kvmgov-process.ts";
import type { Seeded } from "./seeded.ts";
import { type ServiceProcess, waitFor } from "./service-process.ts";

/** Who restores. `wake`: the actuator itself, frozen until its plan is void. */
export type Rescue = "guard" | "restart" | "kvmgov restore" | "wake";

export interface Trial {
  signal: "SIGKILL" | "SIGSTOP";
  rescue: Rescue;
  /** Of the kernel's state at that moment. */
  moment: "baseline" | "plan A" | "plan B" | "in between";
  /** Name of the guest that was destroyed and started again before anybody restored. */
  restarted?: string;
  /** Files and affinities that did not read as the baseline afterwards. */
  different: string[];
}

type State = Record<string, string>;

/** Long enough for a test machine under load to apply a few plans, short enough to wait for. */
const WAKE_TTL_MS = 2000;
const RESTART_PART = 0.15;
const AIMED_PART = 0.8;
/** Of the time from the first to the last guest's change: a signal takes some of it to arrive. */
const AIMED_SPAN = 0.7;

export class CrashTrials {
  readonly #bench: ActuatorBench;
  readonly #libvirt: Libvirt;
  readonly #random: Seeded;
  readonly #guests = new Map<string, Guest>();
  #untouched: State = {};
  /** Everything as each of the two plans wants it. */
  #heldA = "";
  #heldB = "";
  /** From putting a plan to its report, in milliseconds. */
  #tickMs = 0;
  /** From a change of the first guest to one of the last, in milliseconds. */
  #writingMs = 0;

  constructor(bench: ActuatorBench, libvirt: Libvirt, random: Seeded) {
    this.#bench = bench;
    this.#libvirt = libvirt;
    this.#random = random;
  }

  /** Guests with baselines of their own: tuned by libvirt, pinned, with an affinity that nobody knows about. */
  async setUp(): Promise<void> {
    const define = this.#libvirt.defineAndStart.bind(this.#libvirt);
    const tuned = { shares: 512, quotaUs: 80_000, periodUs: 200_000 };
    for (const spec of [
      { name: "plain", load: { percent: 20 } },
      { name: "tuned", cputune: tuned },
      { name: "pinned", iothreads: 1 },
      { name: "solver", load: { vcpus: 2 } },
      { name: "more", load: { vcpus: 2 }, cputune: { shares: 4096 } },
    ]) {
      this.#guests.set(spec.name, await define(spec));
    }
    await this.#tune();
    await this.#calibrate();
  }

  async run(): Promise<Trial> {
    const random = this.#random;
    const signal = random.pick(["SIGKILL", "SIGSTOP"] as const);
    const rescue = random.pick<Rescue>(
      signal === "SIGSTOP" ? ["guard", "guard", "wake"] : ["guard", "restart", "kvmgov restore"],
    );
    const actuator = await this.#bench.actuator(this.#libvirt);
    await waitFor("the actuator's bus", 10_000, async () =>
      (await actuator.ready()).ready ? true : undefined,
    );
    const ttlMs = rescue === "wake" ? WAKE_TTL_MS : 60_000;
    await this.#strike(actuator, signal, ttlMs);
    const trial: Trial = { signal, rescue, moment: this.#moment(), different: [] };
    if (random.next() < RESTART_PART && rescue !== "wake") trial.restarted = await this.#restartGuest();
    await this.#rescue(rescue, actuator);
    const after = this.#state();
    const names = new Set([...Object.keys(after), ...Object.keys(this.#untouched)]);
    trial.different = [...names].filter((name) => after[name] !== this.#untouched[name]);
    if (trial.restarted !== undefined) await this.#tune();
    return trial;
  }

  async #tune(): Promise<void> {
    const solver = this.#guests.get("solver");
    await this.#libvirt.virsh(["vcpupin", "pinned", "0", "1"]);
    setAffinity(solver?.vcpuTids[1] ?? 0, [1]);
    this.#untouched = this.#state();
  }

  async #calibrate(): Promise<void> {
    const bench = this.#bench;
    const actuator = await bench.actuator(this.#libvirt);
    const times: number[] = [];
    const writing: number[] = [];
    for (let tick = 0; tick < 10; tick++) {
      const from = performance.now();
      const reported = bench.follow(bench.plan(tick % 2 === 0 ? this.#planA() : this.#planB(), 60_000));
      const first = await untilChanged(() => this.#cpusOf("plain"));
      const last = await untilChanged(() => this.#cpusOf("more"));
      await reported;
      if (tick > 3) times.push(performance.now() - from);
      if (tick > 3) writing.push(last - first);
      if (tick % 2 === 0) this.#heldA = this.#heldText();
      else this.#heldB = this.#heldText();
    }
    this.#tickMs = medianOf(times);
    this.#writingMs = medianOf(writing);
    if ((await actuator.stop()) !== 0) throw new Error("the actuator did not give everything back");
    if (JSON.stringify(this.#state()) !== JSON.stringify(this.#untouched)) {
      throw new Error("an orderly stop did not give everything back");
    }
  }

  /**
   * Puts plans without a pause, and strikes somewhere after one of the first of them: at any moment, or, more often than chance
   * would have it, after the first write.
   */
  async #strike(actuator: ServiceProcess, signal: Trial["signal"], ttlMs: number): Promise<void> {
    const bench = this.#bench;
    const random = this.#random;
    const ticks = Math.floor(random.between(0, 4));
    for (let tick = 0; tick < ticks; tick++) {
      await bench.follow(bench.plan(tick % 2 === 0 ? this.#planA() : this.#planB(), ttlMs));
    }
    const isAimed = random.next() < AIMED_PART;
    const delayMs = random.between(0, isAimed ? AIMED_SPAN * this.#writingMs : 1.2 * this.#tickMs);
    const put = bench.put(bench.plan(ticks % 2 === 0 ? this.#planA() : this.#planB(), ttlMs));
    const from = isAimed ? await untilChanged(() => this.#cpusOf("plain")) : performance.now();
    while (performance.now() < from + delayMs) await nextTurn();
    actuator.signal(signal);
    await put;
    await waitFor(`${signal} of ${actuator.pid}`, 5000, () => isStill(actuator.pid) || undefined);
  }

  async #rescue(rescue: Rescue, actuator: ServiceProcess): Promise<void> {
    const bench = this.#bench;
    const { stateDir, runDir } = bench;
    // What is in the bucket must not be followed by whoever comes next.
    if (rescue !== "wake") await bench.put(bench.plan([], 1));
    // Its parent, this test, would hear of its end first, as the supervisor does; the guard is not its parent.
    if (rescue === "restart" || rescue === "kvmgov restore") await actuator.kill();
    if (rescue === "guard") await takeOver({ stateDir, runDir, reason: "crash test: the guard" });
    if (rescue === "kvmgov restore") {
      const { code, output } = await runKvmgov(["restore"], { stateDir, runDir, libvirt: this.#libvirt });
      if (code !== 0) throw new Error(`kvmgov restore: ${output}`);
    }
    if (rescue === "restart") {
      const next = await bench.actuator(this.#libvirt);
      if ((await next.stop()) !== 0) throw new Error("the next actuator did not end well");
    }
    if (rescue !== "wake") return actuator.kill();
    await sleep(WAKE_TTL_MS);
    actuator.signal("SIGCONT");
    await waitFor("the baseline", 5000, () => (this.#isUntouched() ? true : undefined)).catch(
      () => undefined,
    );
    if ((await actuator.stop()) !== 0) throw new Error("the actuator that woke did not end well");
  }

  async #restartGuest(): Promise<string> {
    const name = this.#random.pick([...this.#guests.keys()]);
    await this.#libvirt.destroy(name);
    this.#guests.set(name, await this.#libvirt.start(name));
    const others = Object.entries(this.#untouched).filter(([key]) => !key.startsWith(`${name} `));
    this.#untouched = { ...Object.fromEntries(others), ...this.#stateOf(name) };
    return name;
  }

  #moment(): Trial["moment"] {
    const text = this.#heldText();
    if (text === this.#heldA) return "plan A";
    if (text === this.#heldB) return "plan B";
    return this.#isUntouched() ? "baseline" : "in between";
  }

  #isUntouched(): boolean {
    return JSON.stringify(this.#state()) === JSON.stringify(this.#untouched);
  }

  #state(): State {
    return Object.assign({}, ...[...this.#guests.keys()].map((name) => this.#stateOf(name))) as State;
  }

  #stateOf(name: string): State {
    const guest = this.#guests.get(name);
    const state = guest === undefined ? {} : kernelState(guest);
    return Object.fromEntries(Object.entries(state).map(([key, text]) => [`${name} ${key}`, text]));
  }

  /** Without the names of groups and threads, which a guest that restarts does not keep, and without worker threads that come and go. */
  #heldText(): string {
    const lines = [...this.#guests].flatMap(([name, guest]) =>
      Object.entries(kernelState(guest)).flatMap(([key, text]) => {
        const tid = Number(/^affinity (\d+)$/.exec(key)?.[1]);
        const vcpu = guest.vcpuTids.indexOf(tid);
        if (!Number.isNaN(tid)) return vcpu < 0 ? [] : `${name} affinity ${vcpu} ${text}`;
        return `${name} ${path.basename(path.dirname(key)).replace(/^qemu-\d+-/, "")} ${path.basename(key)} ${text.trim()}`;
      }),
    );
    return [...new Set(lines)].toSorted().join("\n");
  }

  /** CPUs of a guest's first vCPU, which each plan changes. */
  #cpusOf(name: string): string {
    const tid = this.#guests.get(name)?.vcpuTids[0] ?? 0;
    return getAffinity(tid).join();
  }

  #planA(): GuestPlan[] {
    return [...this.#guests.values()].map(heldPlan);
  }

  #planB(): GuestPlan[] {
    return this.#planA().map((plan) => ({
      ...plan,
      vcpus: plan.vcpus.map((vcpu) => ({ ...vcpu, bandwidth: 0.5, cpus: [1] })),
      weight: 4,
      emulatorCpus: [0],
      ioThreadCpus: [0],
      periodUs: 50_000,
    }));
  }
}

/** A timer's millisecond is long here. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const CHANGE_MS_MAX = 2000;

/** @returns when it changed, or when it was given up, in milliseconds of performance.now() */
async function untilChanged(read: () => string): Promise<number> {
  const [first, from] = [read(), performance.now()];
  while (read() === first && performance.now() < from + CHANGE_MS_MAX) await nextTurn();
  return performance.now();
}

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** Stopped, or dead: its threads write nothing any more. */
function isStill(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return /^[TZX]$/.test(text.slice(text.lastIndexOf(")") + 2)[0] ?? "");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
    throw error;
  }
}
