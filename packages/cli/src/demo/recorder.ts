/** Writes down what happens during a run: loads as they are set, moves as they are seen. */
import type { ArmRecord, BusyPhase, Progress, Reading } from "./arm-record.ts";
import type { GuestReading } from "./kernel-meter.ts";
import type { Role } from "./cast.ts";

export interface RecorderSources {
  read: () => Reading;
  readGuest: (name: string) => GuestReading;
  nowMs: () => number;
}

export class Recorder {
  readonly record: ArmRecord = { phases: [], bursts: new Map(), progress: [] };
  readonly #sources: RecorderSources;
  /** Whether membership comes from a manager's lists; else a busy guest counts from `settled` on. */
  readonly #managed: boolean;
  readonly #burstStarts = new Map<string, GuestReading>();
  #heldFrom: Reading | undefined;
  #member = false;

  constructor(sources: RecorderSources, managed: boolean) {
    this.#sources = sources;
    this.#managed = managed;
  }

  /** The scientific guest was busy, or is. */
  get phase(): BusyPhase | undefined {
    return this.record.phases.at(-1);
  }

  /** A move is due: the lists are to be looked at often. */
  get awaitsMove(): boolean {
    const { phase } = this;
    if (phase === undefined) return false;
    return phase.stoppedAtMs === undefined ? !this.#member : this.#member;
  }

  /** A guest gets its load at once, before the call that sets it returns. */
  loadSet(guest: { name: string; role: Role }, percent: number, set: () => void): void {
    if (guest.role === "scientific") this.#scientificLoad(percent, set);
    else {
      if (guest.role === "web" && percent === 0) this.#burstEnds(guest.name);
      set();
    }
  }

  /**
   * The scientific guest has read that it is to rest. Until then it is busy: while a service has the CPU of its first vCPU, it cannot read.
   */
  hasRested(): void {
    if (this.phase?.stoppedAtMs !== undefined && this.phase.demotedAtMs === undefined)
      this.phase.stoppedAtMs = this.#sources.nowMs();
  }

  settled(guest: { name: string; role: Role }): void {
    if (guest.role === "web") this.#burstStarts.set(guest.name, this.#sources.readGuest(guest.name));
    if (guest.role === "scientific" && !this.#managed) this.#hold(true);
  }

  /** What the lists say now. */
  membership(isScientific: boolean): void {
    if (isScientific === this.#member) return;
    this.#member = isScientific;
    const { phase } = this;
    if (phase === undefined) return;
    const now = this.#sources.nowMs();
    if (isScientific && phase.stoppedAtMs === undefined) phase.promotedAtMs ??= now;
    if (!isScientific && phase.stoppedAtMs !== undefined) phase.demotedAtMs ??= now;
    this.#hold(isScientific && phase.stoppedAtMs === undefined);
  }

  progress(progress: Progress): void {
    this.record.progress.push(progress);
  }

  #scientificLoad(percent: number, set: () => void): void {
    if (percent > 0) {
      set();
      this.record.phases.push({ startedAtMs: this.#sources.nowMs(), held: [] });
      return;
    }
    this.#hold(false);
    set();
    if (this.phase !== undefined) this.phase.stoppedAtMs = this.#sources.nowMs();
  }

  #hold(on: boolean): void {
    if (on) this.#heldFrom ??= this.#sources.read();
    else if (this.#heldFrom !== undefined) {
      this.phase?.held.push({ from: this.#heldFrom, to: this.#sources.read() });
      this.#heldFrom = undefined;
    }
  }

  #burstEnds(name: string): void {
    const from = this.#burstStarts.get(name);
    if (from === undefined) return;
    this.#burstStarts.delete(name);
    const bursts = this.record.bursts.get(name) ?? [];
    bursts.push({ from, to: this.#sources.readGuest(name) });
    this.record.bursts.set(name, bursts);
  }
}
