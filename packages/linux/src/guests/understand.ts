/** What one QEMU process is to us: a guest, one that cannot be read, or (still) none. */
import { CpuListError } from "@kvm-governor/policy";
import { errorCode } from "../proc/read.ts";
import { ProcParseError } from "../proc/stat.ts";
import { buildGuest, nameOf, uuidOf } from "./build-guest.ts";
import type { BuildContext } from "./build-guest.ts";
import { substanceOf } from "./changes.ts";
import type { Guest, GuestInventory, UnreadableGuest } from "./guest.ts";
import type { StatusEntry } from "./libvirt-status-dir.ts";
import type { QemuProcess } from "./qemu-process.ts";
import { UnknownThreadsError } from "./threads.ts";

/** Neither guest nor unreadable: QEMU is starting. */
export interface Understanding {
  process: QemuProcess;
  entry: StatusEntry | undefined;
  guest?: Guest;
  unreadable?: UnreadableGuest;
}

/** How long a QEMU may take to make its vCPU threads before it is reported. It is looked at anew all that time. */
const STARTING_US = 2_000_000;

/**
 * @param entry libvirt's status file of this process
 * @param last what was made of it before; its guest is kept, as the same object, where nothing is new
 */
export function understand(
  process: QemuProcess,
  entry: StatusEntry | undefined,
  last: Understanding | undefined,
  context: BuildContext,
  nowUs: number,
): Understanding {
  try {
    const guest = buildGuest(process, entry?.status, context);
    const before = last?.guest;
    return { process, entry, guest: before !== undefined && isEqual(before, guest) ? before : guest };
  } catch (error) {
    if (!isAboutGuest(error)) throw error;
    const mayAppear = error instanceof UnknownThreadsError && error.mayAppear;
    if (mayAppear && process.ageUs(nowUs) < STARTING_US) return { process, entry };
    const identity = {
      uuid: entry?.status?.uuid ?? uuidOf(process, context.bootId),
      name: entry?.status?.name ?? nameOf(process),
      pid: process.pid,
    };
    return { process, entry, unreadable: { ...identity, reason: (error as Error).message } };
  }
}

/**
 * All guests of a host. Two processes with one UUID: libvirt's, else the older one is the guest, the other is reported.
 */
export function assemble(
  understood: Iterable<Understanding>,
  others: readonly UnreadableGuest[],
): GuestInventory {
  const guests = new Map<string, Guest>();
  const unreadable = [...others];
  for (const { guest, unreadable: problem } of [...understood].sort(byRank)) {
    if (problem !== undefined) unreadable.push(problem);
    if (guest === undefined) continue;
    const other = guests.get(guest.uuid);
    if (other === undefined) guests.set(guest.uuid, guest);
    else unreadable.push(duplicate(guest, other));
  }
  return { guests: [...guests.values()], unreadable };
}

function byRank(a: Understanding, b: Understanding): number {
  const ofLibvirt = Number(b.entry !== undefined) - Number(a.entry !== undefined);
  return ofLibvirt || a.process.startTime - b.process.startTime || a.process.pid - b.process.pid;
}

function duplicate({ uuid, name, pid }: Guest, other: Guest): UnreadableGuest {
  const reason = `process ${other.pid} already is the guest with this UUID (${JSON.stringify(other.name)})`;
  return { uuid, name, pid, reason };
}

function isEqual(a: Guest, b: Guest): boolean {
  return a.emulatorTids.join() === b.emulatorTids.join() && substanceOf(a) === substanceOf(b);
}

/** Errors of what one guest's files say, or of reading them; anything else is a fault of ours. */
function isAboutGuest(error: unknown): boolean {
  return (
    error instanceof UnknownThreadsError ||
    error instanceof ProcParseError ||
    error instanceof CpuListError ||
    errorCode(error) !== undefined
  );
}
