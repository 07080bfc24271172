/** One CPU for each vCPU, where each vCPU has pins of its own. */

/** CPUs that a vCPU may have; undefined: any. */
export type VcpuPins = readonly (ReadonlySet<number> | undefined)[];

/**
 * Seats vCPUs one CPU at a time. A CPU is taken where it lets one more vCPU sit, moving others over if need be
 * (augmenting paths): offered in order of preference, what is taken is the best that can be had.
 */
export class Matching {
  readonly #pins: VcpuPins;
  readonly #cpuOf: (number | undefined)[];
  #seated = 0;

  constructor(pins: VcpuPins) {
    this.#pins = pins;
    this.#cpuOf = pins.map(() => undefined);
  }

  get isComplete(): boolean {
    return this.#seated === this.#pins.length;
  }

  /** CPU of each vCPU in order; undefined until all sit. */
  get cpus(): number[] | undefined {
    const cpus = this.#cpuOf.filter((cpu) => cpu !== undefined);
    return cpus.length === this.#cpuOf.length ? cpus : undefined;
  }

  /** @returns whether the CPU was taken */
  offer(cpu: number): boolean {
    const isSeated = this.#seat(cpu, new Set());
    if (isSeated) this.#seated += 1;
    return isSeated;
  }

  /** Looks for a vCPU that may have the CPU: one that stands, or one that can move to a CPU that makes another stand. */
  #seat(cpu: number, tried: Set<number>): boolean {
    for (const [vcpu, pins] of this.#pins.entries()) {
      if (tried.has(vcpu) || !(pins?.has(cpu) ?? true)) continue;
      tried.add(vcpu);
      const held = this.#cpuOf[vcpu];
      if (held !== undefined && !this.#seat(held, tried)) continue;
      this.#cpuOf[vcpu] = cpu;
      return true;
    }
    return false;
  }
}
