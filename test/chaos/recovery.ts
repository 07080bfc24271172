/** How long hosts were without a plan after a fault. */

export interface Recovery {
  kind: string;
  target: string;
  /** Time of each host from the fault to its next plan that rests on a later sample, in milliseconds. */
  hostsMs: ReadonlyMap<string, number>;
}

export interface RecoveryRow {
  kind: string;
  faults: number;
  /** In periods. */
  median: number;
  max: number;
}

/** Times from one moment to each host's next plan. */
export class RecoveryWatch {
  readonly #fromMs: number;
  readonly #waiting: Set<string>;
  readonly #took = new Map<string, number>();

  constructor(fromMs: number, hosts: Iterable<string>) {
    this.#fromMs = fromMs;
    this.#waiting = new Set(hosts);
  }

  get isOver(): boolean {
    return this.#waiting.size === 0;
  }

  get waiting(): readonly string[] {
    return [...this.#waiting];
  }

  get tookMs(): ReadonlyMap<string, number> {
    return this.#took;
  }

  /** @param sampledAtMs when the sample of the plan was taken */
  plan(host: string, sampledAtMs: number | undefined, nowMs: number): void {
    if (sampledAtMs === undefined || sampledAtMs < this.#fromMs || !this.#waiting.delete(host)) return;
    this.#took.set(host, nowMs - this.#fromMs);
  }
}

/** One row a kind of fault: over all hosts and all faults of the kind. */
export function recoveryRows(recoveries: readonly Recovery[], periodMs: number): RecoveryRow[] {
  const kinds = [...new Set(recoveries.map(({ kind }) => kind))].toSorted();
  return kinds.map((kind) => {
    const own = recoveries.filter((recovery) => recovery.kind === kind);
    const times = own.flatMap(({ hostsMs }) => [...hostsMs.values()]).toSorted((a, b) => a - b);
    return {
      kind,
      faults: own.length,
      median: (times[Math.floor(times.length / 2)] ?? 0) / periodMs,
      max: (times.at(-1) ?? 0) / periodMs,
    };
  });
}
