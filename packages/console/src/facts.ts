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

/** Times are Unix milliseconds of the classifier's clock, unless a name says otherwise. */
export interface HostFacts {
  tick?: TickFacts;
  applied?: AppliedSummary;
  announced?: { host: Host; receivedAtMs: number };
  /** What went wrong lately; entries may be old. */
  troubles?: TroubleFacts;
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

/** Where the console gets its facts: read-only, synchronous, from memory. */
export interface ConsoleSource {
  now(): number;
  startedAtMs: number;
  settings(): Settings;
  /** What this classifier waits for (Redis, NATS): name and what is wrong. */
  waitsFor(): readonly { name: string; detail: string }[];
  hosts(): Iterable<readonly [id: string, facts: HostFacts]>;
  host(id: string): HostFacts | undefined;
  /** Hosts in the store, also those that this classifier has not heard of. */
  storedHosts(): readonly string[];
  history(host: string, uuid: string): GuestHistory;
  series(host: string, uuid: string): GuestSeries;
  /** When a guest came into its list, by the classifier's clock; undefined: not known. */
  sinceMs(host: string, uuid: string): number | undefined;
}
