/** What the processes of simulated hosts tell the one that judges. */

/** Of each guest whether it wanted everything it could get in that period, or next to nothing. */
export type Wants = Readonly<Record<string, "all" | "little">>;

/** A guest as a plan or the store has it. */
export interface SeenGuest {
  class: "service" | "scientific";
  count: number;
}
export type SeenGuests = Readonly<Record<string, SeenGuest>>;

export interface SeenPlan {
  generation: number;
  sequence: number;
  guests: SeenGuests;
}

/** A plan that came to a host, and what its actuator made of it. */
export interface ArrivedPlan extends SeenPlan {
  verdict: "accepted" | "repeated" | "refused";
  /** All that is written to the kernel, as text: plans of one generation have the same. */
  held: string;
  /** Where a guest would get less than its floor or more than its ceiling. */
  outOfBounds: readonly string[];
}

export type HostMessage =
  | { kind: "sampled"; host: string; sequence: number; wants: Wants }
  /** The stream has it. */
  | { kind: "stored"; host: string; sequence: number }
  | { kind: "plan"; host: string; plan: ArrivedPlan }
  /** A plan was not renewed: all guests are as before us. */
  | { kind: "expired"; host: string }
  | { kind: "repeated"; host: string; sequence: number }
  | { kind: "failed"; text: string };

/** To such a process. */
export interface GroupOptions {
  natsUrl: string;
  password: string;
  hosts: number;
  /** Numbers of those of them that are here. */
  own: readonly number[];
  guests: number;
  vcpus: number;
  cpus: number;
  seed: number;
  periodMs: number;
  planTtlMs: number;
  minimumVcpuCores: number;
}
