/** What the console is told: the classifier's memory of hosts and guests, in the words of the contracts. */
import type {
  AppliedSummary,
  GuestHistory,
  GuestSample,
  Host,
  Plan,
  Report,
  Sample,
  Settings,
} from "@kvm-governor/policy";
import type { AlarmRow, HostRow } from "./model/model.ts";

/** Times are Unix milliseconds of the classifier's clock, unless a name says otherwise. */
export interface HostFacts {
  tick?: TickFacts;
  applied?: AppliedSummary;
  announced?: { host: Host; receivedAtMs: number };
  /** What went wrong lately; entries may be old. */
  troubles?: TroubleFacts;
  /** Since when its classifier works it off: of what was before, it remembers nothing. */
  knownSinceMs?: number;
}

/** The last decision on a host. */
export interface TickFacts {
  sample: {
    cpus: readonly number[];
    periodMs: number;
    hostRunCores: number;
    pressure: number | undefined;
    unreadable: Sample["unreadable"];
  };
  /** Guests of that sample, by UUID. */
  guests: ReadonlyMap<string, GuestSample>;
  report: Report;
  plan: Plan;
  decidedAtMs: number;
  /** Service guests that get less than their SLA though they want it, and since when. */
  shortSince: ReadonlyMap<string, number>;
}

export interface Trouble {
  atMs: number;
  /** How many at that time. */
  count: number;
}

export interface TroubleFacts {
  /** Writes that failed. */
  errors?: Trouble;
  /** Values that somebody else had written over. */
  drift?: Trouble;
}

/** Points from the oldest to the newest: Unix milliseconds, then one value a column, `null` where it is not known. */
export interface GuestSeries {
  /** Second by second. */
  fine: readonly (readonly (number | null)[])[];
  /** Minute by minute. */
  coarse: readonly (readonly (number | null)[])[];
  isFollowed: boolean;
}

/** A host as the fleet's page shows it. */
export interface HostLine {
  id: string;
  row: HostRow;
  /** The worst first; not more than a page has room for. */
  alarms: readonly AlarmRow[];
}

/** Where the console gets its facts: read-only, synchronous, from memory. */
export interface ConsoleSource {
  now(): number;
  startedAtMs: number;
  settings(): Settings;
  /** What this classifier waits for (Redis, NATS): name and what is wrong. */
  waitsFor(): readonly { name: string; detail: string }[];
  /** Hosts that this classifier has heard of. */
  hosts(): Iterable<readonly [id: string, facts: HostFacts]>;
  /** Hosts that other classifiers work off, by id, as they answered last. */
  elsewhere(): ReadonlyMap<string, HostLine>;
  /** Whether others were asked about a host and had no time to answer yet. */
  isAskedFor(id: string): boolean;
  /** What could not be learnt from other classifiers, about the fleet or what is named, in words. */
  missing(host?: string, guest?: string): readonly string[];
  /** Any host of the fleet. @param guest whose history and course are wanted too */
  host(id: string, guest?: string): HostFacts | undefined;
  /** Hosts in the store, also those that this classifier has not heard of. */
  storedHosts(): readonly string[];
  history(host: string, uuid: string): GuestHistory;
  series(host: string, uuid: string): GuestSeries;
  /** When a guest came into its list, by the classifier's clock; undefined: not known. */
  sinceMs(host: string, uuid: string): number | undefined;
}
