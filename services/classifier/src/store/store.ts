/** Where the lists and counts of all hosts are kept between ticks, whatever keeps them. */
import type { GuestState, HostState, Plan } from "@kvm-governor/policy";

/** What the store holds of one host, as one consistent picture. */
export interface StoredHost {
  /** Grows by one with every commit; 0 where nothing is stored (or nothing readable). */
  version: number;
  /** What a commit compares: names exactly this tick. A version alone could come again after a failover. */
  token: string;
  state: HostState | undefined;
  /** Guests that have keys in the store, also where `state` could not be read. */
  uuids: readonly string[];
  /** When the bus took the last sample, by its clock, in milliseconds; absent: not known. */
  heardAtMs?: number | undefined;
  /**
   * The values are not what their contract says; `state` is undefined and the next commit replaces everything. There must be none
   * over a {@link LaterStateError}.
   */
  problem?: CorruptStateError;
}

export type CommitResult = { kind: "committed"; stored: StoredHost } | { kind: "conflict" };

/** The two lists of the paper: UUIDs, sorted. */
export interface HostLists {
  /** LIST_se */
  service: string[];
  /** LIST_sc */
  scientific: string[];
}

export interface CommitOptions {
  /** JSON of `next.plan`, where the caller has it already. */
  planText?: string | undefined;
  /** When the bus took the sample, by its clock, in milliseconds. */
  heardAtMs?: number | undefined;
}

export interface Store {
  /**
   * Reads one host. Values that are wrong come back as `problem`, not as an exception.
   * @throws {StoreUnavailableError} the store cannot be reached or does not answer
   */
  read(host: string): Promise<StoredHost>;
  /**
   * Replaces what `base` holds by `next`, atomically, where the store still holds exactly `base`.
   * A conflict changes nothing: read again, decide again.
   * @throws {StoreUnavailableError} as in read; the commit may have happened or may still happen, never half
   */
  commit(host: string, base: StoredHost, next: HostState, options?: CommitOptions): Promise<CommitResult>;
  /** @throws {StoreUnavailableError} */
  lists(host: string): Promise<HostLists>;
  /** All hosts that had a tick and were not forgotten, sorted. @throws {StoreUnavailableError} */
  hosts(): Promise<string[]>;
  /** When each of these hosts was heard last, by the bus's clock, in milliseconds; undefined: not known. @throws {StoreUnavailableError} */
  heardAt(hosts: readonly string[]): Promise<(number | undefined)[]>;
  /**
   * Removes a host, where the store still holds exactly `base`.
   * @returns whether it is gone; a host that was heard meanwhile stays
   * @throws {StoreUnavailableError}
   */
  forget(host: string, base: StoredHost): Promise<boolean>;
}

/** The store cannot be reached, does not answer in time, or refuses to work (read-only, out of memory). */
export class StoreUnavailableError extends Error {
  override readonly name = "StoreUnavailableError";
}

/** Stored values of a host are not what their contract says. */
export class CorruptStateError extends Error {
  override readonly name = "CorruptStateError";
  readonly host: string;
  constructor(host: string, problem: string, options?: { cause?: unknown }) {
    super(`stored state of host ${host}: ${problem}`, options);
    this.host = host;
  }
}

/** A later version wrote the stored values of a host: they are not known here, and left alone. */
export class LaterStateError extends CorruptStateError {}

/** Nothing stored. */
export const emptyHost: StoredHost = { version: 0, token: "", state: undefined, uuids: [] };

/** What a store holds after `next` was committed over `base`. */
export function afterCommit(
  base: StoredHost,
  next: HostState,
  heardAtMs = base.heardAtMs,
): StoredHost & { state: HostState } {
  const version = base.version + 1;
  return {
    ...(heardAtMs !== undefined && { heardAtMs }),
    version,
    token: `${version}:${next.sequence}`,
    state: next,
    uuids: keysOf(next.guests, base.uuids),
  };
}

/** @param before given back where it is the same list: mostly it is, and there is one for each host of a fleet */
function keysOf(guests: HostState["guests"], before: readonly string[]): readonly string[] {
  const keys = Object.keys(guests);
  return keys.length === before.length && keys.every((key, at) => key === before[at]) ? before : keys;
}

/** What differs between two states of a host, guest by guest. */
export interface StateChange {
  /** New or different guests; `moved`: the list they are in changes (or is not known). */
  changed: { uuid: string; guest: GuestState; moved: boolean }[];
  /** Guests of which only count, usage and what is remembered of delays differ: most, at most ticks. */
  counted: { uuid: string; guest: GuestState; isDelayKept: boolean }[];
  departed: string[];
}

/** What has to be written so that a store that holds `base` holds `next`. */
export function stateChange(base: StoredHost, next: HostState): StateChange {
  const before = base.state?.guests ?? {};
  const changed: StateChange["changed"] = [];
  const counted: StateChange["counted"] = [];
  for (const [uuid, guest] of Object.entries(next.guests)) {
    const old = before[uuid];
    if (old === undefined || !isSameButCounts(old, guest))
      changed.push({ uuid, guest, moved: old?.class !== guest.class });
    else {
      const isDelayKept = isSameDelay(old.delay, guest.delay);
      if (old.count !== guest.count || old.usage !== guest.usage || !isDelayKept)
        counted.push({ uuid, guest, isDelayKept });
    }
  }
  return { changed, counted, departed: base.uuids.filter((uuid) => next.guests[uuid] === undefined) };
}

function isSameButCounts(a: GuestState, b: GuestState): boolean {
  return a.class === b.class && a.since === b.since && a.declared === b.declared && a.name === b.name;
}

function isSameDelay(a: GuestState["delay"], b: GuestState["delay"]): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.rung === b.rung &&
    a.calm === b.calm &&
    a.debt === b.debt &&
    a.patience === b.patience &&
    a.failed === b.failed
  );
}

/**
 * Whether a stored plan need not be written again: it differs only in what stands beside it in the store (sequence, expiry, counts).
 * Within a generation no setting changes, and reasons that stay are the same list.
 */
export function isPlanKept(before: Plan | undefined, next: Plan | undefined): boolean {
  if (before === undefined || next === undefined) return false;
  if (before.generation !== next.generation || before.bootId !== next.bootId) return false;
  if (before.guests.length !== next.guests.length) return false;
  return next.guests.every((guest, at) => {
    const old = before.guests[at];
    return (
      old === guest ||
      (old !== undefined &&
        old.uuid === guest.uuid &&
        old.reasons === guest.reasons &&
        old.name === guest.name &&
        old.slaCores === guest.slaCores &&
        old.slaDelay === guest.slaDelay)
    );
  });
}
