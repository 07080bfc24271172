/** Answers of the classifier's API, as far as the command line reads them (docs/api.md). */
import type {
  GuestClass,
  GuestHistory,
  GuestPlan,
  GuestReport,
  GuestWrite,
  Host,
  PastWrite,
  Plan,
  Reason,
  Report,
} from "@kvm-governor/policy";

/** Of classifiers from before they asked each other: without both. */
export interface Completeness {
  /** What the classifier could not learn from the others, in words. */
  missing?: string[];
}

export interface Since {
  /** Since when the classifier that works the host off does so: it remembers nothing from before. */
  knownSinceMs?: number | null;
}

export interface HostSummary {
  id: string;
  name: string | null;
  lastHeardMs: number | null;
  generation: number | null;
  guestCounts: { service: number; scientific: number };
  metrics: Record<string, string>;
  /** Two machines use its id. Absent: the classifier is of a version that does not say. */
  idConflict?: { names: string[]; kept?: string; refused?: string } | null;
}

export interface StoredGuest {
  uuid: string;
  name: string;
  class: GuestClass;
  count: number;
  sinceMs: number | null;
  declared: string;
  usage: number;
}

export interface AppliedAnswer {
  generation: number;
  verified: number;
  writes: number;
  errors: number;
  drift: number;
  switchFired?: string;
  dryRun: boolean;
  receivedAtMs: number;
}

export interface HostAnswer extends HostSummary, Completeness, Since {
  guests: StoredGuest[];
  storeProblem: string | null;
  decidedAtMs: number | null;
  sample: {
    periodMs: number;
    cpus: number[];
    hostRunCores: number;
    pressure?: number;
    unreadable: { name: string; reason: string }[];
  } | null;
  report: Report | null;
  plan: Plan | null;
  applied: AppliedAnswer | null;
  announced: Host | null;
}

export interface GuestAnswer extends Completeness, Since {
  host: string;
  uuid: string;
  name: string;
  class: GuestClass | "exempt";
  count?: number;
  sinceMs?: number | null;
  declared?: string;
  report: GuestReport | null;
  plan: GuestPlan | null;
  history: GuestHistory;
}

export interface WritesAnswer extends Completeness {
  host: string;
  generation: number | null;
  applied: AppliedAnswer | null;
  guests: {
    uuid: string;
    name: string;
    class: GuestClass;
    reasons: Reason[];
    writes: readonly PastWrite[];
    wouldWrite: readonly GuestWrite[];
    skipped: { reason: string; atMs: number } | null;
  }[];
}

export interface FoundAnswer extends Completeness {
  guests: FoundGuest[];
}

export interface FoundGuest {
  host: string;
  uuid: string;
  name: string;
  class: GuestClass | "exempt";
}
