/** Everything that is counted of one vCPU, across the threads that have run it (a vCPU can be unplugged and come back). */
import { isGone } from "../cgroup/mounts.ts";
import type { CounterContext } from "./context.ts";
import { readCpuStat, type Throttling } from "./cpu-stat.ts";
import { KernelFile, KernelFileError } from "./kernel-file.ts";
import { ThreadSwitches, type SwitchSource } from "./thread-switches.ts";
import type { SwitchCounts } from "./thread-status.ts";
import { ThreadTimes } from "./thread-times.ts";
import { ThrottlingTurns } from "./throttling-turns.ts";
import { Total } from "./total.ts";
import { UnbookedWait } from "./unbooked-wait.ts";

const throttling: Throttling = { periods: 0, throttledPeriods: 0, throttledNs: 0 };

/** The control group that holds a vCPU alone. */
interface Group {
  dir: string;
  version: 1 | 2;
  file: KernelFile;
  turns: ThrottlingTurns;
  isNew: boolean;
}

export class VcpuCounters {
  readonly index: number;
  readonly runNs = new Total();
  readonly delayNs = new Total();
  readonly switches = new Total();
  readonly migrations = new Total();
  readonly voluntary = new Total();
  readonly involuntary = new Total();
  readonly periods = new Total();
  readonly throttledPeriods = new Total();
  readonly throttledNs = new Total();
  /** A thread seen for the first time, or a counter that went back, since the last mark: deltas say nothing. */
  incomplete = true;
  readonly #context: CounterContext;
  /** Since the last mark. */
  #hasRun = true;
  #involuntaryPart: number | undefined;
  #times: ThreadTimes | undefined;
  #wait: UnbookedWait | undefined;
  #switches: ThreadSwitches | undefined;
  #group: Group | undefined;

  constructor(index: number, context: CounterContext) {
    this.index = index;
    this.#context = context;
  }

  /** The thread that runs this vCPU now; undefined: unplugged. */
  get tid(): number | undefined {
    return this.#times?.tid;
  }

  get switchSource(): SwitchSource | undefined {
    return this.#switches?.source;
  }

  get hasMigrations(): boolean {
    return this.#switches?.source === "perf";
  }

  /** Part of the switches between the last two looks that were involuntary; undefined: never looked, or none. */
  get involuntaryPart(): number | undefined {
    return this.#involuntaryPart;
  }

  /** Wait since the last mark, in nanoseconds: also what the kernel has not booked yet. */
  get waitedNs(): number {
    return Math.max(0, this.delayNs.since + (this.#wait?.correctionNs ?? 0));
  }

  /** Whether its group has ever had a quota. */
  get hasThrottling(): boolean {
    return this.#group !== undefined && this.periods.value > 0;
  }

  /** Counts another thread from now on. What was counted before stays. */
  follow(pid: number, tid: number): void {
    // Opened before anything changes: the thread may be gone already, and then the next inventory tries again.
    const switches = new ThreadSwitches(pid, tid, this.#context);
    this.release();
    for (const total of [this.runNs, this.delayNs, this.switches, this.migrations]) total.restart();
    for (const total of [this.voluntary, this.involuntary]) total.restart();
    this.incomplete = true;
    this.#hasRun = true;
    this.#times = new ThreadTimes(pid, tid, this.#context);
    this.#wait = new UnbookedWait(pid, tid, this.#context);
    this.#switches = switches;
  }

  /** The control group that holds this vCPU alone; undefined: there is none. */
  useGroup(dir: string | undefined, version: 1 | 2): void {
    if (this.#group?.dir === dir) return;
    this.#group?.file.close();
    this.#group = undefined;
    if (dir === undefined) return;
    for (const total of [this.periods, this.throttledPeriods, this.throttledNs]) total.restart();
    this.#group = {
      dir,
      version,
      file: new KernelFile(`${dir}/cpu.stat`, this.#context.budget),
      turns: new ThrottlingTurns(this.tid ?? 0),
      isNew: true,
    };
  }

  /** @throws Error of a file: the thread is gone, or cannot be read */
  readTimes(nowNs: number, isCrowded = true): void {
    const times = this.#times;
    if (times === undefined) return;
    const { runNs, delayNs } = times;
    times.read(this.#context.scratch);
    this.#hasRun ||= times.runNs + times.delayNs !== runNs + delayNs;
    this.#feed(this.runNs, times.runNs);
    this.#feed(this.delayNs, times.delayNs);
    const [ranNs, bookedNs] = [Math.max(0, times.runNs - runNs), Math.max(0, times.delayNs - delayNs)];
    this.#wait?.update(ranNs, bookedNs, nowNs, isCrowded);
  }

  /** In place of `readTimes`, where it is known that the thread got no CPU since. */
  keepTimes(nowNs: number, isCrowded: boolean): void {
    this.#wait?.update(0, 0, nowNs, isCrowded);
  }

  /**
   * A thread that neither ran nor waited since the last tick has not switched, and was not throttled: nothing is read.
   * @throws Error of a file: the thread is gone, or cannot be read
   */
  readSwitches(): void {
    const counter = this.#switches;
    if (counter === undefined || !this.#hasRun) return;
    counter.read(this.#context.scratch);
    this.#feed(this.switches, counter.switches);
    if (counter.migrations !== undefined) this.#feed(this.migrations, counter.migrations);
    if (counter.source === "status") this.#feedSplit(counter);
  }

  /**
   * Reads which switches were voluntary, where there were any: at scrapes, and in turns between ticks.
   * @returns whether a file was read
   * @throws Error of a file: the thread is gone, or cannot be read
   */
  readSwitchSplit(): boolean {
    const counter = this.#switches;
    if (counter === undefined || !counter.isSplitDue) return false;
    counter.readSplit(this.#context.scratch);
    this.#feedSplit(counter);
    return true;
  }

  /**
   * Reads the throttling of the group where there may be any: see {@link ThrottlingTurns}.
   * @returns false where the group is no longer there: it has to be located again
   * @throws {KernelFileError} a cpu.stat without throttling
   */
  readThrottling(): boolean {
    const group = this.#group;
    if (group === undefined || !(this.#hasRun || group.isNew)) return true;
    if (!group.turns.isDue(this.delayNs.since)) return true;
    const length = this.#readGroup(group.file);
    if (length === undefined) return false;
    if (!readCpuStat(this.#context.scratch, length, group.version, throttling)) {
      throw new KernelFileError(group.file.path, "no nr_periods, nr_throttled and throttled time");
    }
    const periodsBefore = this.periods.value;
    this.periods.feed(throttling.periods);
    group.turns.note(this.periods.value !== periodsBefore);
    this.throttledPeriods.feed(throttling.throttledPeriods);
    this.throttledNs.feed(throttling.throttledNs);
    // What was throttled before the group was found was not throttled in this period.
    if (group.isNew) this.throttledNs.mark();
    group.isNew = false;
    return true;
  }

  /** A tick has taken the deltas. */
  mark(): void {
    for (const total of [this.runNs, this.delayNs, this.switches, this.migrations, this.throttledNs])
      total.mark();
    this.#wait?.mark();
    this.incomplete = false;
    this.#hasRun = false;
  }

  /** Closes what is open; totals stay. */
  release(): void {
    this.#times?.close();
    this.#switches?.close();
    this.#wait?.close();
    this.#wait = undefined;
    this.#times = undefined;
    this.#switches = undefined;
  }

  close(): void {
    this.release();
    this.useGroup(undefined, 1);
  }

  #feed(total: Total, raw: number): void {
    if (!total.feed(raw)) this.incomplete = true;
  }

  #feedSplit({ voluntary, involuntary }: SwitchCounts): void {
    const [voluntaryBefore, involuntaryBefore] = [this.voluntary.value, this.involuntary.value];
    this.voluntary.feed(voluntary);
    this.involuntary.feed(involuntary);
    const more = this.involuntary.value - involuntaryBefore;
    const all = this.voluntary.value - voluntaryBefore + more;
    if (all > 0) this.#involuntaryPart = more / all;
  }

  #readGroup(file: KernelFile): number | undefined {
    try {
      return file.read(this.#context.scratch);
    } catch (error) {
      if (!isGone(error)) throw error;
      this.useGroup(undefined, 1);
      return undefined;
    }
  }
}
