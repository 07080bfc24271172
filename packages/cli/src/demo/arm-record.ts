/** What is written down during one run: plain values, from which the figures are worked out afterwards. */
import type { GuestReading } from "./kernel-meter.ts";

/** Readings of everything at one moment. */
export interface Reading {
  /** By guest name. */
  guests: ReadonlyMap<string, GuestReading>;
  /** Idle time of all CPUs, nanoseconds. */
  hostIdleNs: number;
}

/** From one moment to another. */
export interface Span<Value> {
  from: Value;
  to: Value;
}

/** One time that the scientific guest was busy. All times in milliseconds of `performance.now()`. */
export interface BusyPhase {
  startedAtMs: number;
  /** When it was told to rest, and then, when it said that it does. */
  stoppedAtMs?: number;
  /** First seen in LIST_sc after the start; absent: never, or nobody was there to move it. */
  promotedAtMs?: number;
  /** First seen in LIST_se after the stop. */
  demotedAtMs?: number;
  /** While it was busy and in LIST_sc; without a manager: while it was busy, after the time that one may take. */
  held: Span<Reading>[];
}

/** Work that the scientific guest reported. */
export interface Progress {
  atMs: number;
  rounds: number;
}

export interface ArmRecord {
  phases: BusyPhase[];
  /** Bursts of the web guests, by name: from when it surely wants a whole vCPU to its end. */
  bursts: Map<string, Span<GuestReading>[]>;
  progress: Progress[];
}
