/**
 * The CPU affinity that vCPU threads had when they were first seen. For a guest without a libvirt definition that is
 * all there is of its configuration. It must outlive a restart of whoever watches: by then our own actuator may have
 * pinned the threads, and its pins would pass for the operator's (and make the guest look dedicated for ever).
 */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { bootId, ContractError, parseContract } from "@kvm-governor/policy";
import { z } from "zod";
import { errorCode, readIfThere } from "../proc/read.ts";

const fileSchema = z.object({ bootId, affinity: z.record(z.string(), z.string().max(65_536)) });

/** One vCPU of one run of a guest. */
export interface VcpuRun {
  pid: number;
  startTime: number;
  index: number;
}

export class FirstSight {
  readonly #bootId: string;
  readonly #file: string | undefined;
  readonly #affinity: Map<string, string>;
  #isDirty = false;
  /** Why the file could not be read or written, as of the last attempt: affinities then are as found since the start. */
  problem: string | undefined;

  /** @param file where it is kept from one start to the next (a directory that a reboot empties will do); none: in memory */
  constructor(ofBoot: string, file?: string) {
    this.#bootId = ofBoot;
    this.#file = file;
    this.#affinity = new Map();
    this.#guarded(() => {
      if (file !== undefined) for (const [key, list] of load(file, ofBoot)) this.#affinity.set(key, list);
    });
  }

  /** Affinity at first sight, as a CPU list of the kernel; `read` is asked only at first sight. */
  affinityOf(run: VcpuRun, read: () => string | undefined): string | undefined {
    const key = keyOf(run);
    const known = this.#affinity.get(key);
    if (known !== undefined) return known;
    const found = read();
    if (found === undefined) return undefined;
    this.#affinity.set(key, found);
    this.#isDirty = true;
    return found;
  }

  /** Forgets all runs but these processes' and writes the file, where either changed anything. */
  save(alive: Iterable<{ pid: number; startTime: number }>): void {
    const prefixes = new Set([...alive].map(({ pid, startTime }) => `${pid}/${startTime}`));
    for (const key of this.#affinity.keys()) {
      if (prefixes.has(key.slice(0, key.lastIndexOf("/")))) continue;
      this.#affinity.delete(key);
      this.#isDirty = true;
    }
    const file = this.#file;
    if (this.#isDirty && file !== undefined) this.#guarded(() => this.#write(file));
    this.#isDirty = false;
  }

  #write(file: string): void {
    const text = JSON.stringify({ bootId: this.#bootId, affinity: Object.fromEntries(this.#affinity) });
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, `${text}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  #guarded(io: () => void): void {
    try {
      io();
      this.problem = undefined;
    } catch (error) {
      if (!(error instanceof ContractError) && errorCode(error) === undefined) throw error;
      this.problem = `affinity at first sight: ${(error as Error).message}`;
    }
  }
}

function keyOf({ pid, startTime, index }: VcpuRun): string {
  return `${pid}/${startTime}/${index}`;
}

function load(file: string, ofBoot: string): [string, string][] {
  const text = readIfThere(file);
  if (text === undefined) return [];
  const saved = parseContract(fileSchema, text, file);
  return saved.bootId === ofBoot ? Object.entries(saved.affinity) : [];
}
