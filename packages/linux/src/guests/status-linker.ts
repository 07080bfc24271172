/** Tells which process belongs to which libvirt status file. */
import type { UnreadableGuest } from "./guest.ts";
import type { StatusEntry } from "./libvirt-status-dir.ts";
import type { LibvirtStatus } from "./libvirt-status.ts";
import type { ProcessTable } from "./process-table.ts";
import type { QemuProcess } from "./qemu-process.ts";

/** A file is there a little before its QEMU, and a little longer. */
const STALE_AFTER_US = 2_000_000;

export interface StatusLinks {
  /** By process id. */
  linked: ReadonlyMap<number, StatusEntry>;
  /** Processes of files that cannot be read: what their operator configured is not known. */
  unreadablePids: ReadonlySet<number>;
  unreadable: readonly UnreadableGuest[];
  /** Whether a file waits for its process to appear, or to be removed itself. */
  isWaiting: boolean;
}

export class StatusLinker {
  #staleSince = new Map<string, number>();

  /** @param nowUs CLOCK_BOOTTIME */
  link(entries: readonly StatusEntry[], table: ProcessTable, nowUs: number): StatusLinks {
    const linked = new Map<number, StatusEntry>();
    const unreadablePids = new Set<number>();
    const unreadable: UnreadableGuest[] = [];
    const staleSince = new Map<string, number>();
    for (const entry of entries) {
      if (entry.status === undefined) {
        const found = brokenFile(entry, table);
        unreadable.push(found);
        if (found.pid !== undefined) unreadablePids.add(found.pid);
      } else if (entry.status.pid !== 0) {
        const process = processOf(entry.status, table, nowUs);
        if (process !== undefined) linked.set(process.pid, entry);
        else staleSince.set(entry.name, this.#staleSince.get(entry.name) ?? nowUs);
      }
    }
    this.#staleSince = staleSince;
    for (const entry of entries) {
      const since = staleSince.get(entry.name);
      if (since !== undefined && nowUs - since >= STALE_AFTER_US) unreadable.push(staleFile(entry));
    }
    const isWaiting = [...staleSince.values()].some((since) => nowUs - since < STALE_AFTER_US);
    return { linked, unreadablePids, unreadable, isWaiting };
  }
}

/** The process that a status file names, if it is this guest's: process ids are used again after a crash. */
function processOf(status: LibvirtStatus, table: ProcessTable, nowUs: number): QemuProcess | undefined {
  const process = table.processes.get(status.pid) ?? table.adopt(status.pid, status.uuid, nowUs);
  if (process === undefined) return undefined;
  return (process.commandLine.uuid ?? status.uuid) === status.uuid ? process : undefined;
}

function brokenFile(entry: StatusEntry, table: ProcessTable): UnreadableGuest {
  const process = [...table.processes.values()].find((each) => each.commandLine.name === entry.name);
  const uuid = process?.commandLine.uuid;
  return {
    name: entry.name,
    reason: entry.problem ?? "status file cannot be read",
    ...(uuid !== undefined && { uuid }),
    ...(process !== undefined && { pid: process.pid }),
  };
}

/** Without a pid: that process, if there is one, is not the guest's. */
function staleFile({ name, status }: StatusEntry): UnreadableGuest {
  return {
    ...(status !== undefined && { uuid: status.uuid }),
    name: status?.name ?? name,
    reason: `libvirt's status file names process ${status?.pid}, which is gone or is not this guest's`,
  };
}
