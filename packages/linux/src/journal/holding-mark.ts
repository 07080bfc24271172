/**
 * `runDir/holding`: says, for this boot, that guests are held away from their baseline. It stands apart from the journal, so
 * that a journal that was lost is noticed.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readIfThere } from "../proc/read.ts";

export class HoldingMark {
  readonly #file: string;
  readonly #runDir: string;
  readonly #bootId: string;
  #set: boolean;

  constructor(runDir: string, bootId: string) {
    this.#runDir = runDir;
    this.#file = join(runDir, "holding");
    this.#bootId = bootId;
    this.#set = readIfThere(this.#file)?.trim() === bootId;
  }

  get isSet(): boolean {
    return this.#set;
  }

  set(): void {
    if (this.#set) return;
    mkdirSync(this.#runDir, { recursive: true, mode: 0o755 });
    writeFileSync(this.#file, `${this.#bootId}\n`, { mode: 0o644 });
    this.#set = true;
  }

  clear(): void {
    rmSync(this.#file, { force: true });
    this.#set = false;
  }
}
