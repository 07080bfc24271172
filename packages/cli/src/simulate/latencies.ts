/** Many durations in little memory: counted in classes that are 1% wide. */

const PER_OCTAVE = 70;
const LEAST_MS = 0.01;
const CLASSES = PER_OCTAVE * 24;

export class Latencies {
  readonly #counts = new Uint32Array(CLASSES);
  #count = 0;
  #mostMs = 0;

  get count(): number {
    return this.#count;
  }

  add(ms: number): void {
    const at = Math.floor(Math.log2(Math.max(ms, LEAST_MS) / LEAST_MS) * PER_OCTAVE);
    const held = Math.min(at, CLASSES - 1);
    this.#counts[held] = (this.#counts[held] ?? 0) + 1;
    this.#count++;
    this.#mostMs = Math.max(this.#mostMs, ms);
  }

  /** The duration that this part of all does not exceed, within 1%; undefined where there is none. */
  quantile(part: number): number | undefined {
    if (this.#count === 0) return undefined;
    let left = Math.ceil(part * this.#count);
    for (const [at, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return Math.min(this.#mostMs, LEAST_MS * 2 ** ((at + 1) / PER_OCTAVE));
    }
    return this.#mostMs;
  }

  get mostMs(): number {
    return this.#mostMs;
  }
}
