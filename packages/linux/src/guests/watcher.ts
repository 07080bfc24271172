/** The guests of a host, kept up to date. */
import { readBootId, readUptimeUs } from "../host/facts.ts";
import { TopologyReader } from "../topology/topology.ts";
import type { BuildContext } from "./build-guest.ts";
import { compareInventories, NO_CHANGES } from "./changes.ts";
import type { GuestChanges } from "./changes.ts";
import { FirstSight } from "./first-sight.ts";
import type { Guest, GuestInventory, UnreadableGuest } from "./guest.ts";
import { LibvirtStatusDir } from "./libvirt-status-dir.ts";
import { ProcessTable } from "./process-table.ts";
import { StatusLinker } from "./status-linker.ts";
import type { StatusLinks } from "./status-linker.ts";
import { assemble, understand } from "./understand.ts";
import type { Understanding } from "./understand.ts";

export interface GuestWatcherOptions {
  /** Where procfs is mounted. */
  procRoot?: string;
  /** Where sysfs is mounted. */
  sysRoot?: string;
  /** libvirt's status files; a directory that does not exist means that there is no libvirt. */
  libvirtRunDir?: string;
  /** File of {@link FirstSight}: who samples needs it, who only acts does not. */
  firstSightFile?: string;
  /** CLOCK_BOOTTIME in microseconds; default: /proc/uptime, whose 10 ms will do. */
  nowUs?: () => number;
}

/**
 * Keeps the inventory of a host's guests. `refresh` looks closely only at what is new or changed, so that it can be
 * called several times a second.
 */
export class GuestWatcher implements Disposable {
  readonly #nowUs: () => number;
  readonly #context: Omit<BuildContext, "usableCpus">;
  readonly #topology: TopologyReader;
  readonly #table: ProcessTable;
  readonly #statuses: LibvirtStatusDir;
  readonly #linker = new StatusLinker();
  #understood = new Map<number, Understanding>();
  /** Guests whose process lives, as last read: also those that cannot be read at the moment. */
  #alive = new Map<string, Guest>();
  #inventory: GuestInventory = { guests: [], unreadable: [] };
  #isUnsettled = true;

  /** @throws errors of reading the boot id */
  constructor(options: GuestWatcherOptions = {}) {
    const procRoot = options.procRoot ?? "/proc";
    const bootId = readBootId(procRoot);
    this.#nowUs = options.nowUs ?? (() => readUptimeUs(procRoot));
    this.#context = { procRoot, bootId, firstSight: new FirstSight(bootId, options.firstSightFile) };
    this.#topology = new TopologyReader(options.sysRoot ?? "/sys");
    this.#table = new ProcessTable(procRoot);
    this.#statuses = new LibvirtStatusDir(options.libvirtRunDir ?? "/run/libvirt/qemu");
  }

  /** As of the last refresh; the same object until something changes. */
  get inventory(): GuestInventory {
    return this.#inventory;
  }

  /**
   * What is wrong beyond guests that are left out: status files closed to us, metadata that declares nonsense (its
   * guest is exempt), a file that cannot be kept. For logs and a metric.
   */
  get problems(): string[] {
    const general = [this.#statuses.problem, this.#context.firstSight.problem];
    return [...general.filter((each) => each !== undefined), ...this.#statuses.guestProblems];
  }

  /**
   * Brings the inventory up to date.
   * @throws {TopologyError}, and errors of listing /proc itself; nothing about a single guest is thrown
   */
  refresh(): GuestChanges {
    const nowUs = this.#nowUs();
    const { usable, isChanged: isTopologyChanged } = this.#topology.read();
    const touched = this.#table.refresh(nowUs);
    // After the processes: libvirt writes the file before its QEMU runs, so none is taken for a bare one.
    const isStatusChanged = this.#statuses.refresh(nowUs);
    if (!this.#isUnsettled && !isStatusChanged && !isTopologyChanged && touched.size === 0) return NO_CHANGES;
    const links = this.#linker.link(this.#statuses.entries, this.#table, nowUs);
    const isStale = (pid: number): boolean => isTopologyChanged || touched.has(pid);
    this.#understandAll(links, isStale, { ...this.#context, usableCpus: usable }, nowUs);
    this.#context.firstSight.save(this.#table.processes.values());
    return this.#takeOver(links);
  }

  /** Closes what is kept open. */
  close(): void {
    this.#table.close();
    this.#topology.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #understandAll(
    links: StatusLinks,
    isStale: (pid: number) => boolean,
    context: BuildContext,
    nowUs: number,
  ): void {
    const understood = new Map<number, Understanding>();
    this.#isUnsettled = links.isWaiting || this.#table.failures.size > 0;
    for (const [pid, process] of this.#table.processes) {
      const isLeftOut = links.unreadablePids.has(pid) || this.#table.failures.has(pid);
      if (process.commandLine.isProbe || isLeftOut) continue;
      const entry = links.linked.get(pid);
      const last = this.#understood.get(pid);
      const isCurrent = last !== undefined && last.entry === entry && isSettled(last) && !isStale(pid);
      const now = isCurrent ? last : understand(process, entry, last, context, nowUs);
      understood.set(pid, now);
      this.#isUnsettled ||= !isSettled(now);
    }
    this.#understood = understood;
  }

  #takeOver(links: StatusLinks): GuestChanges {
    const inventory = assemble(this.#understood.values(), [...links.unreadable, ...this.#failed()]);
    const changes = compareInventories(this.#alive, inventory, this.#inventory.unreadable);
    const alive = new Map(inventory.guests.map((guest) => [guest.uuid, guest]));
    const unreadablePids = new Set(inventory.unreadable.map((each) => each.pid));
    for (const [uuid, guest] of this.#alive) {
      if (!alive.has(uuid) && unreadablePids.has(guest.pid)) alive.set(uuid, guest);
    }
    this.#alive = alive;
    this.#inventory = inventory;
    return changes;
  }

  #failed(): UnreadableGuest[] {
    return [...this.#table.failures].map(([pid, reason]) => {
      const known = [...this.#alive.values()].find((guest) => guest.pid === pid);
      return known === undefined
        ? { name: `process ${pid}`, pid, reason }
        : { uuid: known.uuid, name: known.name, pid, reason };
    });
  }
}

/** A QEMU that is starting becomes something else without anything to be seen: with time. */
function isSettled({ guest, unreadable }: Understanding): boolean {
  return guest !== undefined || unreadable !== undefined;
}
