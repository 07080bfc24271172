/**
 * A fixed number of points over time, in typed arrays that are allocated once. Values that fall into the same bucket of
 * time become one point.
 */

/** How a column is brought together within a bucket: the mean of its values, or the last one. */
export type Fold = "mean" | "last";

export class Ring {
  /** Length of a bucket in milliseconds. */
  readonly bucketMs: number;
  readonly #folds: readonly Fold[];
  readonly #points: number;
  /** Time of the first value of each point, Unix milliseconds. */
  readonly #times: Float64Array;
  readonly #values: Float32Array;
  #next = 0;
  #size = 0;
  #bucket = -Infinity;
  /** Values in the newest point, by column: unknown ones (NaN) do not count. */
  readonly #counts: Uint32Array;

  constructor(points: number, bucketMs: number, folds: readonly Fold[]) {
    this.#points = points;
    this.bucketMs = bucketMs;
    this.#folds = folds;
    this.#times = new Float64Array(points);
    this.#values = new Float32Array(points * folds.length);
    this.#counts = new Uint32Array(folds.length);
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes of its arrays: the same from the first point to the last. */
  get bytes(): number {
    return this.#times.byteLength + this.#values.byteLength + this.#counts.byteLength;
  }

  /** @param values one a column; NaN: not known */
  add(atMs: number, values: readonly number[]): void {
    const bucket = Math.floor(atMs / this.bucketMs);
    // A clock that was set back: what is in here lies in the future, and no plot can show both.
    if (bucket < this.#bucket) this.#size = 0;
    if (bucket === this.#bucket && this.#size > 0) return this.#fold(values);
    this.#bucket = bucket;
    const at = this.#next;
    this.#times[at] = atMs;
    for (let column = 0; column < this.#folds.length; column++) {
      const value = values[column] ?? NaN;
      this.#values[at * this.#folds.length + column] = value;
      this.#counts[column] = Number.isNaN(value) ? 0 : 1;
    }
    this.#next = (at + 1) % this.#points;
    this.#size = Math.min(this.#size + 1, this.#points);
  }

  /** The points from the oldest to the newest: time, then one value a column, `null` where it is not known. */
  rows(): (number | null)[][] {
    return Array.from({ length: this.#size }, (_, i) => this.#row(i));
  }

  #row(i: number): (number | null)[] {
    const at = (this.#next - this.#size + i + this.#points) % this.#points;
    const row: (number | null)[] = [this.#times[at] ?? 0];
    for (let column = 0; column < this.#folds.length; column++) {
      const value = this.#values[at * this.#folds.length + column] ?? NaN;
      // Float32 has seven digits, of which four are of any use.
      row.push(Number.isNaN(value) ? null : Number(value.toPrecision(4)));
    }
    return row;
  }

  #fold(values: readonly number[]): void {
    const from = ((this.#next - 1 + this.#points) % this.#points) * this.#folds.length;
    for (const [column, fold] of this.#folds.entries()) {
      const value = values[column] ?? NaN;
      if (Number.isNaN(value)) continue;
      const count = (this.#counts[column] ?? 0) + 1;
      const before = this.#values[from + column] ?? NaN;
      const mean = count === 1 ? value : before + (value - before) / count;
      this.#counts[column] = count;
      this.#values[from + column] = fold === "mean" ? mean : value;
    }
  }
}
