/** What changed between two inventories. */
import { isSameRun } from "./guest.ts";
import type { Guest, GuestInventory, UnreadableGuest } from "./guest.ts";

/** The same guest before and now. */
export interface GuestChange {
  before: Guest;
  now: Guest;
}

export interface GuestChanges {
  arrived: readonly Guest[];
  /** Its process is gone. A guest that lives and cannot be read any more has not departed: see `unreadable`. */
  departed: readonly Guest[];
  /** The same guest in another process. */
  restarted: readonly GuestChange[];
  /** The same process: other vCPUs, I/O threads, state, declaration, pins or tuning. Emulator threads come and go. */
  changed: readonly GuestChange[];
  /** Newly so, or for another reason than before. */
  unreadable: readonly UnreadableGuest[];
}

export const NO_CHANGES: GuestChanges = {
  arrived: [],
  departed: [],
  restarted: [],
  changed: [],
  unreadable: [],
};

/** Compares guests by UUID. Objects that are identical are taken as unchanged without a look inside. */
export function compareInventories(
  before: ReadonlyMap<string, Guest>,
  now: GuestInventory,
  unreadableBefore: readonly UnreadableGuest[],
): GuestChanges {
  const arrived: Guest[] = [];
  const restarted: GuestChange[] = [];
  const changed: GuestChange[] = [];
  for (const guest of now.guests) {
    const old = before.get(guest.uuid);
    if (old === guest) continue;
    if (old === undefined) arrived.push(guest);
    else if (!isSameRun(old, guest)) restarted.push({ before: old, now: guest });
    else if (substanceOf(old) !== substanceOf(guest)) changed.push({ before: old, now: guest });
  }
  const said = new Set(unreadableBefore.map(sayingOf));
  return {
    arrived,
    departed: departures(before, now),
    restarted,
    changed,
    unreadable: now.unreadable.filter((each) => !said.has(sayingOf(each))),
  };
}

function departures(before: ReadonlyMap<string, Guest>, now: GuestInventory): Guest[] {
  const present = new Set(now.guests.map((guest) => guest.uuid));
  const alive = new Set(now.unreadable.map((each) => each.pid));
  return [...before.values()].filter((guest) => !present.has(guest.uuid) && !alive.has(guest.pid));
}

function sayingOf({ uuid, name, pid, reason }: UnreadableGuest): string {
  return JSON.stringify([uuid, name, pid, reason]);
}

/** All that matters of a guest, as text. */
export function substanceOf(guest: Guest): string {
  return JSON.stringify({ ...guest, emulatorTids: [] }, (_key, value: unknown) =>
    value instanceof Map ? [...value] : value,
  );
}
