/** Notices what somebody else wrote over our values: neither what was applied last nor what is wanted now. */
import type { Values, WantedValue, Write } from "@kvm-governor/linux";
import type { DriftReport } from "@kvm-governor/policy";

/** A drift; `file` is the key. */
export type Drift = Omit<DriftReport, "guest">;

export class DriftWatch {
  /** Last value that was read back, by key. */
  readonly #applied = new Map<string, string>();
  /** Settings that are left to whoever wrote them, until the plan changes. */
  readonly #left = new Set<string>();
  #generation = 0;

  /** Drift since the last look. Each is told once: what was found is known from then on. */
  look(
    wanted: readonly WantedValue[],
    values: Values,
    { generation, isRespected }: { generation: number; isRespected: boolean },
  ): Drift[] {
    if (generation !== this.#generation || !isRespected) this.#left.clear();
    this.#generation = generation;
    const drifted: Drift[] = [];
    for (const { key, target, setting, text } of wanted) {
      const applied = this.#applied.get(key);
      const found = values.get(key);
      if (applied === undefined || found === undefined || found === applied || found === text) continue;
      drifted.push({ target, setting, file: key, applied, found });
      this.#applied.set(key, found);
      if (isRespected) this.#left.add(settingKey({ target, setting }));
    }
    return drifted;
  }

  /** Whether a write is not made, because its setting is left to somebody else. */
  isLeft(write: Write): boolean {
    return this.#left.has(settingKey(write));
  }

  /** What is there after our own writes. Keys that are not wanted any more (threads that ended) are forgotten. */
  remember(wanted: readonly WantedValue[], values: Values): void {
    this.#applied.clear();
    for (const { key } of wanted) {
      const text = values.get(key);
      if (text !== undefined) this.#applied.set(key, text);
    }
  }
}

const settingKey = ({ target, setting }: Pick<Write, "target" | "setting">): string =>
  `${target} ${setting === "idle" ? "weight" : setting}`;
