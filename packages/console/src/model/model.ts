/**
 * What a page shows, as the browser gets it: sections of rows of cells. Only cells that changed are sent, so rows are
 * flat. Shared with the browser: no imports but types.
 */
export type Cell = string | number | boolean | null | readonly (string | number | null)[];
export type Row = Readonly<Record<string, Cell>>;
export type Section = Readonly<Record<string, Row>>;
export type Model = Readonly<Record<string, Section>>;

/** What makes one model into the next. Fields that a row lost are `gone` with the row and sent anew. */
export interface Patch {
  set: Record<string, Record<string, Record<string, Cell>>>;
  gone: Record<string, string[]>;
}

export type Severity = "critical" | "warning" | "info";
export type ClassName = "service" | "scientific" | "exempt";

export type AlarmRow = {
  severity: Severity;
  code: string;
  host: string;
  hostName: string;
  /** UUID, or empty: the host itself. */
  guest: string;
  guestName: string;
  text: string;
  sinceMs: number | null;
};

/** The only row of sections that are no tables. */
export const ONLY = "all";

export type FleetRow = {
  hosts: number;
  hostsNotShown: number;
  services: number;
  scientific: number;
  exempt: number;
  capacityCores: number;
  idleCores: number;
  critical: number;
  warning: number;
  preset: string;
  alpha: number;
  alphaDown: number;
  beta: number;
  periodMs: number;
  startedAtMs: number;
};

export type HostRow = {
  name: string;
  known: boolean;
  capacityCores: number | null;
  serviceCores: number;
  scientificCores: number;
  exemptCores: number;
  hostCores: number;
  idleCores: number | null;
  availableCores: number | null;
  services: number;
  scientific: number;
  exempt: number;
  generation: number | null;
  /** State of its actuator in words. */
  actuator: string;
  /** Worst severity among its alarms, and how many there are. */
  severity: Severity | "";
  alarms: number;
  sampleAtMs: number | null;
  /** A sample is missed after this long. */
  staleAfterMs: number;
};

export type HostFactsRow = HostRow & {
  id: string;
  guestsNotShown: number;
  kernel: string;
  cgroup: string;
  preset: string;
  pressure: number | null;
  reserveCores: number;
  sampleToReadBackMs: number | null;
  alpha: number;
  alphaDown: number;
  beta: number;
  startedAtMs: number;
};

export type GuestRow = {
  name: string;
  class: ClassName;
  /** How it came there: inferred or declared. */
  how: string;
  vcpus: number;
  readable: boolean;
  usage: number;
  demand: number;
  delay: number;
  usedCores: number;
  switches: number | null;
  count: number;
  mayCores: number | null;
  slaCores: number | null;
  quota: string;
  weight: string;
  cpus: string;
  note: string;
};

export type CpuRole = "scientific" | "shared" | "isolated" | "offline";

export type CpuRow = {
  package: number;
  node: number;
  llc: number;
  core: number;
  role: CpuRole;
  /** UUID, name and vCPU of the guest that has it alone. */
  guest: string;
  guestName: string;
  vcpu: number | null;
  /** Guests that may run here: all services that are not held elsewhere. */
  mayRun: number;
  /** Names of guests that are pinned to fewer CPUs than all, as far as there is room. */
  pinned: readonly string[];
};

export type GuestFactsRow = {
  known: boolean;
  name: string;
  uuid: string;
  host: string;
  hostName: string;
  class: ClassName | "";
  how: string;
  sinceMs: number | null;
  why: string;
  seen: string;
  held: string;
  heldWhy: readonly string[];
  applied: string;
  vcpus: number;
  usage: number | null;
  demand: number | null;
  delay: number | null;
  count: number | null;
  mayCores: number | null;
  slaCores: number | null;
  /** Part of the time that it may wait, in 99 of 100 periods. */
  slaDelay: number | null;
  isFollowed: boolean;
  alpha: number;
  /** Threshold in LIST_sc. */
  alphaDown: number;
  beta: number;
  /** Whether `usage` alone is held against alpha (setting `signal`). */
  usesRun: boolean;
  periodMs: number;
  sampleAtMs: number | null;
  staleAfterMs: number;
  startedAtMs: number;
  /** Since when the classifier that works its host off does so: history and course begin there. */
  knownSinceMs: number | null;
  /** Why nothing may be known of it, in words. */
  missing: readonly string[];
};

export type VcpuRow = {
  index: number;
  run: number;
  delay: number;
  switches: number | null;
  involuntaryPart: number | null;
  throttled: number | null;
  quota: string;
  cpus: string;
};

export type DecisionRow = {
  atMs: number;
  kind: "first" | "moved" | "held";
  class: ClassName;
  generation: number;
  title: string;
  seen: string;
  reasons: readonly string[];
  held: string;
};

export type WriteRow = {
  atMs: number;
  kind: "written" | "failed" | "drift" | "would";
  target: string;
  setting: string;
  text: string;
  file: string;
};

/** A point: time, then the columns of SERIES_COLUMNS. */
export type PointRow = { v: readonly (number | null)[] };
