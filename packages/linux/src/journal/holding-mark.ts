/**
 * `runDir/holding`: says, for this boot, which runs of guests are held away from their baseline. It stands apart from the journal, so that a
 * journal that was lost is noticed, and only what was held is given back without it. The first line is the boot id, each other
 * one `UUID PID START_TIME`.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readIfThere } from "../proc/read.ts";
import type { GuestRun } from "./records.ts";

/** A run without its name, which may be the tenant's and hold any character. */
export type MarkedRun = Omit<GuestRun, "name">;

export class HoldingMark {
  readonly #file: string;
  readonly #runDir: string;
  readonly #bootId: string;
  #isSet: boolean;
  #runs: readonly MarkedRun[];

  constructor(runDir: string, bootId: string) {
    this.#runDir = runDir;
    this.#file = join(runDir, "holding");
    this.#bootId = bootId;
    const [boot, ...lines] = readIfThere(this.#file)?.split("\n") ?? [];
    this.#isSet = boot === bootId;
    this.#runs = this.#isSet ? lines.flatMap(runOf) : [];
  }

  get isSet(): boolean {
    return this.#isSet;
  }

  get runs(): readonly MarkedRun[] {
    return this.#runs;
  }

  /** Marked runs that are not among these. */
  missingIn(known: readonly MarkedRun[]): MarkedRun[] {
    const keys = new Set(known.map(lineOf));
    return this.#runs.filter((run) => !keys.has(lineOf(run)));
  }

  /** Says that these runs, and no others, are held; the mark goes where there are none. */
  update(runs: readonly MarkedRun[]): void {
    if (runs.length === 0) {
      rmSync(this.#file, { force: true });
    } else {
      if (runs.length === this.#runs.length && this.missingIn(runs).length === 0) return;
      mkdirSync(this.#runDir, { recursive: true, mode: 0o755 });
      writeFileSync(`${this.#file}.new`, `${this.#bootId}\n${runs.map(lineOf).join("")}`, { mode: 0o644 });
      renameSync(`${this.#file}.new`, this.#file);
    }
    this.#isSet = runs.length > 0;
    this.#runs = [...runs];
  }

  clear(): void {
    this.update([]);
  }
}

const lineOf = ({ uuid, pid, startTime }: MarkedRun): string => `${uuid} ${pid} ${startTime}\n`;

function runOf(line: string): MarkedRun[] {
  const [, uuid = "", pid, startTime] = /^(\S+) (\d+) (\d+)$/.exec(line) ?? [];
  return pid === undefined ? [] : [{ uuid, pid: Number(pid), startTime: Number(startTime) }];
}
