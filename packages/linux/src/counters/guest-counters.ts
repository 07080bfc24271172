/** Everything that is counted of one run of one guest. */
import type { GuestCgroups } from "../cgroup/locate.ts";
import type { Guest } from "../guests/guest.ts";
import type { CounterContext } from "./context.ts";
import type { SwitchSource } from "./thread-switches.ts";
import { OthersStillness, Stillness } from "./stillness.ts";
import { ThreadSet } from "./thread-set.ts";
import { VcpuCounters } from "./vcpu-counters.ts";

/** Finds the guest's control groups; undefined: it has none of its own. */
export type Locate = (guest: Guest) => GuestCgroups | undefined;

/** Longest wait between two looks for control groups that were not there, in ticks. */
const LOCATE_TICKS_MAX = 64;
const NOT_AGAIN = -1;

export class GuestCounters {
  /** As of the last inventory. */
  guest: Guest;
  /** Time of the last mark, on the clock of the sampler, in nanoseconds; undefined: none yet. */
  markedAtNs: number | undefined;
  /** When run and delay were last read. */
  readAtNs = 0;
  readonly emulator: ThreadSet;
  readonly #context: CounterContext;
  readonly #locate: Locate;
  readonly #vcpus = new Map<number, VcpuCounters>();
  readonly #ioThreads = new Map<number, ThreadSet>();
  #present: readonly VcpuCounters[] = [];
  #follows: Guest | undefined;
  readonly #stillness: Stillness;
  readonly #others: OthersStillness;
  #locateIn = 0;
  #locateWait = 1;

  constructor(guest: Guest, context: CounterContext, locate: Locate) {
    this.guest = guest;
    this.#context = context;
    this.#locate = locate;
    this.emulator = new ThreadSet(context);
    this.#stillness = new Stillness(context);
    this.#others = new OthersStillness(context);
  }

  /** vCPUs that are there now, in the guest's order. */
  get vcpus(): readonly VcpuCounters[] {
    return this.#present;
  }

  /** All vCPUs that there ever were: totals do not end with a vCPU. */
  get allVcpus(): Iterable<VcpuCounters> {
    return this.#vcpus.values();
  }

  /** By I/O thread id. */
  get ioThreads(): ReadonlyMap<number, ThreadSet> {
    return this.#ioThreads;
  }

  /** `perf` only where all vCPUs are counted by it. */
  get switchSource(): SwitchSource {
    return this.#present.every((vcpu) => vcpu.switchSource === "perf") ? "perf" : "status";
  }

  get incomplete(): boolean {
    return this.markedAtNs === undefined || this.#present.some((vcpu) => vcpu.incomplete);
  }

  /** Whether this very record has been followed already, completely. */
  follows(guest: Guest): boolean {
    return this.#follows === guest;
  }

  /**
   * Follows the threads of a newer inventory.
   * @throws Error with `code` ESRCH: a thread is gone already; {RangeError} a guest without vCPUs
   */
  update(guest: Guest): void {
    if (guest.vcpus.length === 0) throw new RangeError(`guest ${guest.name} has no vCPU threads`);
    this.guest = guest;
    this.#follows = undefined;
    this.#stillness.forget();
    this.#others.forget();
    this.#present = guest.vcpus.map(({ index, tid }) => this.#vcpu(guest.pid, index, tid));
    const there = new Set(this.#present);
    for (const vcpu of this.#vcpus.values()) if (!there.has(vcpu)) vcpu.close();
    this.emulator.follow(guest.pid, guest.emulatorTids);
    for (const { id, tid } of guest.ioThreads) this.#ioThread(id).follow(guest.pid, [tid]);
    this.#follows = guest;
  }

  /** @param isCrowded whether anybody on this host waited for a CPU since the last reading */
  readTimes(nowNs: number, isCrowded: boolean): void {
    this.readAtNs = nowNs;
    if (this.#stillness.isStill(this.guest.pid)) {
      for (const vcpu of this.#present) vcpu.keepTimes(nowNs, isCrowded);
      return;
    }
    const before = this.#vcpusRanNs;
    for (const vcpu of this.#present) vcpu.readTimes(nowNs, isCrowded);
    const vcpusRanNs = this.#vcpusRanNs;
    const haveOthersRun = !this.#others.areStill(this.guest.pid, vcpusRanNs) && this.#readOthers();
    this.#stillness.note(vcpusRanNs !== before || haveOthersRun);
  }

  readSwitches(): void {
    for (const vcpu of this.#present) vcpu.readSwitches();
  }

  /**
   * Groups are made shortly after the process, and are moved by managers: those that are missing are looked for again,
   * less and less often, since most bare QEMU processes never get any.
   */
  readThrottling(): void {
    if (this.#locateIn-- === 0) this.#findGroups();
    let lost = false;
    for (const vcpu of this.#present) if (!vcpu.readThrottling()) lost = true;
    if (lost) this.#lookAgainSoon();
  }

  /** A tick has taken the deltas. */
  mark(): void {
    this.markedAtNs = this.readAtNs;
    for (const vcpu of this.#present) vcpu.mark();
    this.emulator.runNs.mark();
    for (const ioThread of this.#ioThreads.values()) ioThread.runNs.mark();
  }

  close(): void {
    for (const vcpu of this.#vcpus.values()) vcpu.close();
    this.emulator.close();
    for (const ioThread of this.#ioThreads.values()) ioThread.close();
  }

  /** @returns whether any of them ran */
  #readOthers(): boolean {
    const before = this.#othersRanNs;
    this.emulator.read();
    for (const ioThread of this.#ioThreads.values()) ioThread.read();
    const haveRun = this.#othersRanNs !== before;
    this.#others.note(haveRun);
    return haveRun;
  }

  get #vcpusRanNs(): number {
    let sum = 0;
    for (const vcpu of this.#present) sum += vcpu.runNs.value;
    return sum;
  }

  get #othersRanNs(): number {
    let sum = this.emulator.runNs.value;
    for (const ioThread of this.#ioThreads.values()) sum += ioThread.runNs.value;
    return sum;
  }

  #vcpu(pid: number, index: number, tid: number): VcpuCounters {
    let vcpu = this.#vcpus.get(index);
    if (vcpu === undefined) this.#vcpus.set(index, (vcpu = new VcpuCounters(index, this.#context)));
    if (vcpu.tid !== tid) {
      vcpu.follow(pid, tid);
      this.#lookAgainSoon();
    }
    return vcpu;
  }

  #ioThread(id: number): ThreadSet {
    let ioThread = this.#ioThreads.get(id);
    if (ioThread === undefined) this.#ioThreads.set(id, (ioThread = new ThreadSet(this.#context)));
    return ioThread;
  }

  #lookAgainSoon(): void {
    this.#locateIn = 0;
    this.#locateWait = 1;
  }

  #findGroups(): void {
    // Before the look, which may fail: then it is tried again like one that found nothing.
    this.#locateIn = this.#locateWait;
    this.#locateWait = Math.min(this.#locateWait * 2, LOCATE_TICKS_MAX);
    const cpu = this.#locate(this.guest)?.cpu;
    for (const vcpu of this.#present) vcpu.useGroup(cpu?.vcpus.get(vcpu.index), cpu?.version ?? 1);
    if (cpu?.vcpus.size === this.#present.length) this.#locateIn = NOT_AGAIN;
  }
}
