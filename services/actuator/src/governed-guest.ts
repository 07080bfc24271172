/** One guest that plans speak about: reads what is there, writes differences, remembers what it wrote. */
import {
  boundKeys,
  captureBaseline,
  executeWrites,
  locateGuest,
  placesOf,
  planWrites,
  readBack,
  readValues,
  reportedFile,
  reportOf,
  settableKeys,
  startTimeOf,
  threadsOfGroup,
  withoutNewline,
} from "@kvm-governor/linux";
import type {
  CgroupMounts,
  ControlIo,
  Guest,
  GuestPlaces,
  Journal,
  JournalEntry,
  KernelRoots,
  Limits,
  PlannedWrites,
  PlanProblem,
  Values,
  Write,
  WriteResult,
} from "@kvm-governor/linux";
import type { DriftReport, GuestPlan, WriteReport } from "@kvm-governor/policy";
import { DriftWatch } from "./drift-watch.ts";
import { settingChanges, type SettingChange } from "./setting-changes.ts";

/** What is the same for all guests of a host. */
export interface GovernContext {
  io: ControlIo;
  roots: KernelRoots;
  mounts: CgroupMounts;
  bootId: string;
  hasSystemd: boolean;
  /** Absent in a dry run. */
  journal?: Journal;
  limits: () => Limits;
  /** Whether another's write is written over again, or left until the plan changes. */
  onDrift: () => "reassert" | "respect";
}

export interface GuestOutcome {
  /** Values compared with the kernel's. */
  verified: number;
  results: readonly WriteResult[];
  writes: readonly WriteReport[];
  drift: readonly DriftReport[];
  problems: readonly PlanProblem[];
  changes: readonly SettingChange[];
}

/** The writes were planned, and must not be made any more. */
export class WriteForbiddenError extends Error {
  override readonly name = "WriteForbiddenError";
}

const CONTROLLERS = ["cpu", "cpuset"] as const;

type Planned = PlannedWrites & { values: Values; places: GuestPlaces };

export class GovernedGuest {
  #guest: Guest;
  #places: GuestPlaces | undefined;
  readonly #context: GovernContext;
  readonly #drift = new DriftWatch();
  #valuesSeen = 0;

  constructor(guest: Guest, context: GovernContext) {
    this.#guest = guest;
    this.#context = context;
  }

  get guest(): Guest {
    return this.#guest;
  }

  /** Directories of its groups. */
  get dirs(): string[] {
    const places = this.#places;
    if (places === undefined) return [];
    const cpus = [...places.vcpuCpus.values(), places.emulatorCpus, ...places.ioThreadCpus];
    const groups = [places.weight, ...places.bandwidth.values(), ...cpus.map((place) => place.group)];
    return groups.flatMap((group) => group?.dir ?? []);
  }

  get entry(): JournalEntry | undefined {
    return this.#context.journal?.entry(this.#guest);
  }

  /** The same run of the guest, as last discovered: threads come and go. */
  refresh(guest: Guest): void {
    if (guest !== this.#guest) this.#places = undefined;
    this.#guest = guest;
  }

  /**
   * Takes the guest to its plan.
   * @param mayWrite why nothing may be written any more; asked right before the writes
   * @throws {JournalError} the baseline could not be kept: nothing was written
   * @throws {WriteForbiddenError} what `mayWrite` says
   */
  async apply(
    plan: GuestPlan,
    generation: number,
    mayWrite: () => string | undefined,
  ): Promise<GuestOutcome> {
    let planned = this.#plan(plan);
    if (planned.writes.length > 0) {
      // Somebody may have joined a group since it was looked at: only the guest's own are written to.
      this.#places = undefined;
      planned = this.#plan(plan);
    }
    const drift = this.#driftReports(planned, generation);
    const writes = planned.writes.filter((write) => !this.#drift.isLeft(write));
    const common = { verified: planned.wanted.length, drift, problems: planned.problems };
    if (writes.length === 0) {
      this.#drift.remember(planned.wanted, planned.values);
      return { ...common, results: [], writes: [], changes: [] };
    }
    if (this.#context.journal === undefined) return { ...common, ...this.#wouldWrite(planned, writes) };
    this.#keepBaseline(writes, planned.places);
    const forbidden = mayWrite();
    if (forbidden !== undefined) throw new WriteForbiddenError(forbidden);
    return { ...common, ...(await this.#write(planned, writes, mayWrite)) };
  }

  #plan(plan: GuestPlan): Planned {
    const { io, limits } = this.#context;
    let places = (this.#places ??= this.#locate());
    let values = readValues(io, [...settableKeys(places), ...boundKeys(places)]);
    if (values.size < this.#valuesSeen) {
      // A group was removed, or made anew under the same name.
      places = this.#places = this.#locate();
      values = readValues(io, [...settableKeys(places), ...boundKeys(places)]);
    }
    this.#valuesSeen = values.size;
    const baseline = this.#baseline();
    const planned = planWrites({ plan, places, values, baseline, limits: limits() });
    return {
      ...planned,
      writes: planned.writes.filter((write) => this.#isSameThread(write)),
      values,
      places,
    };
  }

  #locate(): GuestPlaces {
    const { roots, mounts, hasSystemd } = this.#context;
    const groups = locateGuest(this.#guest, { ...roots, mounts, controllers: CONTROLLERS }) ?? {};
    return placesOf(this.#guest, groups, { hasSystemd, threadsOf: threadsOfGroup });
  }

  #baseline(): Values {
    const { entry } = this;
    if (entry === undefined) return new Map();
    const files = [...entry.files.values()].map(({ key, raw }) => [key, withoutNewline(raw)] as const);
    const threads = [...entry.threads.values()].map(({ tid, cpus }) => [`affinity ${tid}`, cpus] as const);
    return new Map([...files, ...threads]);
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
    const isRespected = this.#context.onDrift() === "respect";
    return this.#drift
      .look(planned.wanted, planned.values, { generation, isRespected })
      .map(({ file, ...drift }) => ({
        guest: this.#guest.uuid,
        file: reportedFile(file, planned.places.mountPoints),
        ...drift,
      }));
  }

  #keepBaseline(writes: readonly Write[], places: GuestPlaces): void {
    const { io, roots, bootId, journal } = this.#context;
    if (journal === undefined) return;
    const context = { io, procRoot: roots.procRoot, bootId };
    const record = captureBaseline(this.#guest, writes, places, this.entry, context);
    if (record === undefined) return;
    journal.keep(record);
  }

  async #write(
    planned: Planned,
    writes: readonly Write[],
    mayWrite: () => string | undefined,
  ): Promise<Pick<GuestOutcome, "results" | "writes" | "changes">> {
    const { io } = this.#context;
    const { places } = planned;
    const results = readBack(await executeWrites(writes, io, mayWrite), io);
    const after = readValues(io, settableKeys(places));
    const failed = new Set(results.filter(({ error }) => error !== undefined).map(({ write }) => write.key));
    this.#drift.remember(
      planned.wanted.filter(({ key }) => !failed.has(key)),
      after,
    );
    return {
      results,
      writes: results.map((result) => reportOf(result, this.#guest.uuid, places.mountPoints)),
      changes: settingChanges(places, planned.values, after),
    };
  }

  #wouldWrite(
    planned: Planned,
    writes: readonly Write[],
  ): Pick<GuestOutcome, "results" | "writes" | "changes"> {
    const { places, values } = planned;
    const results = writes.map((write) => ({ write, old: values.get(write.key) ?? "" }));
    return {
      results,
      writes: results.map((result) => reportOf(result, this.#guest.uuid, places.mountPoints)),
      changes: settingChanges(
        places,
        values,
        new Map([...values, ...writes.map((w) => [w.key, w.text] as const)]),
      ),
    };
  }
}
