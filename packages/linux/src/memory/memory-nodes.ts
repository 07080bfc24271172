/**
 * Where each guest's memory lies, read seldom: memory moves slowly. The guest's own control group tells it for next to
 * nothing. Huge pages of hugetlbfs are not accounted there, and a guest without a group of its own has no such file: for
 * these the kernel walks the page tables (/proc/PID/numa_maps), which takes long for large guests and therefore happens
 * in a thread of its own, one guest at a time.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Guest } from "../guests/guest.ts";
import { isVanished } from "../proc/read.ts";
import { statusField } from "../proc/stat.ts";
import { memoryShares, parseNumaMaps, parseNumaStat } from "./numa-stat.ts";
import type { MemoryByNode } from "./numa-stat.ts";

/** Part of a guest's memory on one NUMA node, 0 to 1. */
export interface MemoryShare {
  node: number;
  share: number;
}

export interface MemoryNodesOptions {
  procRoot: string;
  /** The guest's own memory group; undefined: none. */
  locate: (guest: Guest) => { dir: string; version: 1 | 2 } | undefined;
  /** NUMA nodes of the host now: with one there is nothing to read. */
  nodes: () => number;
  /** Monotonic clock in milliseconds. */
  nowMs: () => number;
  /** After each pass: how long it took, and what failed; a guest that is gone is no failure. */
  onPass: (durationMs: number, errors: readonly unknown[]) => void;
  /** A guest is read again after this long, in milliseconds. */
  intervalMs?: number;
}

interface Known {
  pid: number;
  startTime: number;
  readAtMs: number;
  shares: readonly MemoryShare[] | undefined;
}

const INTERVAL_MS = 60_000;
/** Guests of one pass: more wait for the next tick. */
const GUESTS_PER_PASS = 16;

export class MemoryNodes {
  readonly #options: MemoryNodesOptions;
  readonly #known = new Map<string, Known>();
  #pass: Promise<void> | undefined;

  constructor(options: MemoryNodesOptions) {
    this.#options = options;
  }

  /** What was read last of this run of the guest; undefined: nothing yet, or nothing can be told. */
  of({ uuid, pid, startTime }: Guest): readonly MemoryShare[] | undefined {
    const known = this.#known.get(uuid);
    return known?.pid === pid && known.startTime === startTime ? known.shares : undefined;
  }

  /** At each tick: begins to read the guests that are due, unless the last pass still goes on. */
  tick(guests: readonly Guest[]): void {
    if (this.#pass !== undefined || this.#options.nodes() < 2) return;
    const there = new Set(guests.map(({ uuid }) => uuid));
    for (const uuid of this.#known.keys()) if (!there.has(uuid)) this.#known.delete(uuid);
    const due = guests.filter((guest) => this.#isDue(guest)).slice(0, GUESTS_PER_PASS);
    if (due.length === 0) return;
    this.#pass = this.#read(due).finally(() => (this.#pass = undefined));
  }

  /** The pass that goes on now has ended. */
  async settled(): Promise<void> {
    await this.#pass;
  }

  #isDue({ uuid, pid, startTime }: Guest): boolean {
    const known = this.#known.get(uuid);
    if (known === undefined || known.pid !== pid || known.startTime !== startTime) return true;
    return this.#options.nowMs() - known.readAtMs >= (this.#options.intervalMs ?? INTERVAL_MS);
  }

  async #read(guests: readonly Guest[]): Promise<void> {
    const fromMs = this.#options.nowMs();
    const errors: unknown[] = [];
    for (const guest of guests) {
      let shares = this.of(guest);
      try {
        shares = memoryShares(await this.#amounts(guest));
      } catch (error) {
        if (!isVanished(error)) errors.push(error);
      }
      const { uuid, pid, startTime } = guest;
      this.#known.set(uuid, {
        pid,
        startTime,
        readAtMs: this.#options.nowMs(),
        shares: shares?.length === 0 ? undefined : shares,
      });
    }
    this.#options.onPass(this.#options.nowMs() - fromMs, errors);
  }

  async #amounts(guest: Guest): Promise<MemoryByNode> {
    const proc = join(this.#options.procRoot, String(guest.pid));
    const status = await readFile(join(proc, "status"), "utf8");
    const group = this.#options.locate(guest);
    if (group === undefined || kilobytes(status, "HugetlbPages") > kilobytes(status, "VmRSS")) {
      return parseNumaMaps(await readFile(join(proc, "numa_maps"), "utf8"));
    }
    return parseNumaStat(await readFile(join(group.dir, "memory.numa_stat"), "utf8"), group.version);
  }
}

function kilobytes(status: string, key: string): number {
  return Number.parseInt(statusField(status, key) ?? "0", 10);
}
