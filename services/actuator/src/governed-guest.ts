/** One guest that plans speak about: reads what is there, writes differences, remembers what it wrote. */
import { dirname } from "node:path";
import {
  affinityTid,
  bandwidthOf,
  boundKeys,
  captureBaseline,
  locateGuest,
  placesOf,
  planWrites,
  ratioOf,
  readValues,
  rebaseOn,
  reportedFile,
  settableKeys,
  startTimeOf,
  threadsOfGroup,
} from "@kvm-governor/linux";
import type {
  AuditLog,
  BaselineChange,
  CgroupMounts,
  ControlIo,
  Guest,
  GuestPlaces,
  Journal,
  JournalEntry,
  KernelRoots,
  Values,
  Write,
} from "@kvm-governor/linux";
import type { DriftReport, GuestPlan } from "@kvm-governor/policy";
import type { Tracing } from "@kvm-governor/service-kit";
import { DriftWatch } from "./drift-watch.ts";
import { firstValues } from "./first-values.ts";
import { makeWrites, wouldWrite, type Planned, type Written } from "./guest-writes.ts";
import { HeldValues, type Turn } from "./held-values.ts";
import { limitPlan, type Bound, type LastChange, type LocalLimits } from "./limits/index.ts";

/** What is the same for all guests of a host. */
export interface GovernContext {
  io: ControlIo;
  roots: KernelRoots;
  mounts: CgroupMounts;
  bootId: string;
  hasSystemd: boolean;
  /** Absent in a dry run. */
  journal?: Journal;
  audit?: AuditLog;
  limits: () => LocalLimits;
  onlineCpus: () => readonly number[];
  /** Monotonic time in milliseconds. */
  nowMs: () => number;
  /** Whether another's write is written over again, or left until the plan changes. */
  onDrift: () => "reassert" | "respect";
  /** By default off. */
  tracing?: Tracing;
}

/** What is the same for all guests of a plan. */
export interface Tick {
  generation: number;
  /** Which of the held values are compared, where nothing is to be changed. */
  turn: Turn;
  /** Of what is written. */
  tracing: Tracing;
}

export interface GuestOutcome extends Omit<Written, "after"> {
  /** Values compared with the kernel's. */
  verified: number;
  drift: readonly DriftReport[];
  problems: readonly Bound[];
}

/** A first value that libvirt was told to change; `file` as reports name it. */
export type BaselineReport = Omit<BaselineChange, "key"> & { guest: string; file: string };

/** The writes were planned, and must not be made any more. */
export class WriteForbiddenError extends Error {
  override readonly name = "WriteForbiddenError";
}

const CONTROLLERS = ["cpu", "cpuset"] as const;
const NOTHING: Omit<GuestOutcome, "verified"> = {
  drift: [],
  problems: [],
  results: [],
  writes: [],
  changes: [],
};

/** A plan within the local limits, as writes. */
type Limited = Planned & { plan: GuestPlan; bounds: readonly Bound[] };

export class GovernedGuest {
  #guest: Guest;
  #places: GuestPlaces | undefined;
  readonly #dirs = new Set<string>();
  readonly #context: GovernContext;
  readonly #drift = new DriftWatch();
  #valuesSeen = 0;
  #held: HeldValues | undefined;
  #last: LastChange | undefined;
  readonly #rebased: BaselineReport[] = [];

  constructor(guest: Guest, context: GovernContext) {
    this.#guest = guest;
    this.#context = context;
  }

  get guest(): Guest {
    return this.#guest;
  }

  /** Directories whose files were read or written for it, also of groups that it is not in any more. */
  get dirs(): string[] {
    return [...this.#dirs];
  }

  /** Values that a tick without changes has to compare, in one turn or several. */
  get valuesHeld(): number {
    return this.#held?.count ?? 0;
  }

  get entry(): JournalEntry | undefined {
    return this.#context.journal?.entry(this.#guest);
  }

  /** The same run of the guest, as last discovered: threads come and go, and its configuration may change. */
  refresh(guest: Guest): void {
    if (guest === this.#guest) return;
    const before = this.#guest;
    this.#places = undefined;
    this.#guest = guest;
    this.#rebase(before);
  }

  /**
   * Takes the guest to its plan, as far as the local limits allow.
   * @param mayWrite why nothing may be written any more; asked right before the writes
   * @throws {JournalError} the baseline could not be kept: nothing was written
   * @throws {WriteForbiddenError} what `mayWrite` says
   */
  async apply(
    plan: GuestPlan,
    { generation, turn, tracing }: Tick,
    mayWrite: () => string | undefined,
  ): Promise<GuestOutcome> {
    const { io, limits, onDrift, journal } = this.#context;
    const under = { plan, guest: this.#guest, limits: limits(), onDrift: onDrift() };
    const held = this.#held;
    const unchanged = held?.isFor(under) === true ? held.verify(io, turn) : undefined;
    if (unchanged !== undefined) return { ...NOTHING, ...unchanged };
    this.#held = undefined;
    let planned = this.#plan(plan);
    if (planned.writes.length > 0) {
      // Somebody may have joined a group since it was looked at: only the guest's own are written to.
      this.#places = undefined;
      planned = this.#plan(plan);
    }
    const drift = this.#driftReports(planned, generation);
    const writes = planned.writes.filter((write) => !this.#drift.isLeft(write));
    const problems = [...planned.bounds, ...planned.problems];
    const common = { ...NOTHING, verified: planned.wanted.length, drift, problems };
    if (writes.length === 0) {
      this.#drift.remember(planned.wanted, planned.values);
      // Some limits let go with time, and what is left to somebody else is looked at closely.
      const isSettled = problems.every(({ kind }) => kind !== "step" && kind !== "cool-down");
      if (isSettled && drift.length === 0 && planned.writes.length === 0) {
        this.#held = new HeldValues(under, planned.values, { wanted: planned.wanted, problems });
      }
      return common;
    }
    if (journal === undefined) return { ...common, ...wouldWrite(planned, writes, plan) };
    const { uuid } = this.#guest;
    const attributes = { "kvmgov.guest.uuid": uuid, "kvmgov.writes": writes.length };
    const written = await tracing.span({ name: "hold guest", attributes }, () => {
      tracing.span({ name: "journal" }, () => this.#keepBaseline(writes, planned.places, journal));
      const forbidden = mayWrite();
      if (forbidden !== undefined) throw new WriteForbiddenError(forbidden);
      return this.#write(planned, writes, { generation, tracing, forbidden: mayWrite });
    });
    return { ...common, ...written };
  }

  #plan(wish: GuestPlan): Limited {
    const { io, limits } = this.#context;
    let places = (this.#places ??= this.#locate());
    let values = readValues(io, [...settableKeys(places), ...boundKeys(places)]);
    if (values.size < this.#valuesSeen) {
      // A group was removed, or made anew under the same name.
      places = this.#places = this.#locate();
      values = readValues(io, [...settableKeys(places), ...boundKeys(places)]);
    }
    this.#valuesSeen = values.size;
    const { plan, bounds } = this.#limit(wish, places, values);
    const baseline = firstValues(this.entry, places, this.#context);
    const planned = planWrites({ plan, places, values, baseline, limits: limits() });
    return {
      ...planned,
      writes: planned.writes.filter((write) => this.#isSameThread(write)),
      values,
      places,
      plan,
      bounds,
    };
  }

  #limit(wish: GuestPlan, places: GuestPlaces, values: Values): ReturnType<typeof limitPlan> {
    const { limits, onlineCpus, nowMs } = this.#context;
    const now = new Map(
      [...places.bandwidth].map(([index, { version, dir }]) => {
        const state = bandwidthOf(version, dir, values);
        return [index, state === undefined ? Infinity : ratioOf(state)] as const;
      }),
    );
    return limitPlan(wish, {
      limits: limits(),
      now,
      onlineCpus,
      last: this.#last,
      nowMs: nowMs(),
    });
  }

  #locate(): GuestPlaces {
    const { roots, mounts, hasSystemd } = this.#context;
    const groups = locateGuest(this.#guest, { ...roots, mounts, controllers: CONTROLLERS }) ?? {};
    const places = placesOf(this.#guest, groups, { hasSystemd, threadsOf: threadsOfGroup });
    for (const key of [...settableKeys(places), ...boundKeys(places)]) {
      if (affinityTid(key) === undefined) this.#dirs.add(dirname(key));
    }
    return places;
  }

  /** A thread id that was used again must not get the affinity of the thread before. */
  #isSameThread(write: Write): boolean {
    if (write.op !== "affinity") return true;
    const known = this.entry?.threads.get(write.tid);
    const startTime = startTimeOf(this.#context.roots.procRoot, this.#guest.pid, write.tid);
    const isOfOther = known !== undefined && known.startTime !== startTime && known.cpus === write.text;
    return startTime !== undefined && !isOfOther;
  }

  #driftReports(planned: Planned, generation: number): DriftReport[] {
    const { onDrift, audit } = this.#context;
    const { uuid, name } = this.#guest;
    const isRespected = onDrift() === "respect";
    return this.#drift
      .look(planned.wanted, planned.values, { generation, isRespected })
      .map(({ file, ...drift }) => {
        const { target, setting, applied, found } = drift;
        const reason = isRespected
          ? "somebody else wrote it; left until the plan changes"
          : "somebody else wrote it";
        const common = { guest: uuid, name, target, setting, file, generation, reason };
        audit?.record({ event: "drift", ...common, old: applied, new: found });
        return { guest: uuid, file: reportedFile(file, planned.places.mountPoints), ...drift };
      });
  }

  #keepBaseline(writes: readonly Write[], places: GuestPlaces, journal: Journal): void {
    const { io, roots, bootId } = this.#context;
    const context = { io, procRoot: roots.procRoot, bootId };
    const record = captureBaseline(this.#guest, writes, places, this.entry, context);
    if (record !== undefined) journal.keep(record);
  }

  async #write(
    planned: Limited,
    writes: readonly Write[],
    { generation, tracing, forbidden }: Omit<Tick, "turn"> & { forbidden: () => string | undefined },
  ): Promise<Omit<Written, "after">> {
    const { io, audit, nowMs } = this.#context;
    const { plan, wanted } = planned;
    const { after, ...written } = await makeWrites(planned, writes, {
      io,
      audit,
      plan,
      generation,
      forbidden,
      tracing,
    });
    const { results } = written;
    const failed = new Set(results.filter(({ error }) => error !== undefined).map(({ write }) => write.key));
    this.#drift.remember(
      wanted.filter(({ key }) => !failed.has(key)),
      after,
    );
    if (this.#last === undefined || this.#last.plan !== plan) this.#last = { plan, atMs: nowMs() };
    return written;
  }

  /** What libvirt was told to change about the guest is what the guest goes back to from now on. */
  #rebase(before: Guest): void {
    const { io, journal, audit, onlineCpus } = this.#context;
    const { entry } = this;
    if (journal === undefined || entry === undefined) return;
    const places = (this.#places ??= this.#locate());
    const rebased = rebaseOn({ before, after: this.#guest, entry, places, io, onlineCpus: onlineCpus() });
    if (rebased === undefined) return;
    journal.rebase(rebased.record);
    this.#held = undefined;
    const { uuid, name } = this.#guest;
    for (const { key, ...change } of rebased.changes) {
      const reason = "libvirt was told to change it: restoring goes to this value from now on";
      audit?.record({ event: "baseline", guest: uuid, name, file: key, reason, ...change });
      this.#rebased.push({ guest: uuid, file: reportedFile(key, places.mountPoints), ...change });
    }
  }

  /** Changes of the baseline since this was asked last. */
  takeRebased(): BaselineReport[] {
    return this.#rebased.splice(0);
  }
}
