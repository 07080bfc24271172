/** Where the demo speaks: lines that stay, and on a terminal a block at the bottom that is drawn anew in place. */

export interface ScreenOutput {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string): unknown;
}

const CLEAR_DOWN = "\u001b[J";

export class Screen {
  readonly #out: ScreenOutput;
  #block: readonly string[] = [];

  constructor(out: ScreenOutput) {
    this.#out = out;
  }

  /** Whether blocks are drawn in place. */
  get isLive(): boolean {
    return this.#out.isTTY === true;
  }

  /** A line that stays. */
  say(line: string): void {
    this.#out.write(`${this.#up()}${line}\n${this.#drawn(this.#block)}`);
  }

  /** Replaces the block, by nothing at the end; on anything but a terminal there is none. */
  show(block: readonly string[]): void {
    if (!this.isLive) return;
    const up = this.#up();
    this.#block = block;
    this.#out.write(`${up}${this.#drawn(block)}`);
  }

  #up(): string {
    return this.#block.length === 0 ? "" : `\u001b[${this.#block.length}A\r${CLEAR_DOWN}`;
  }

  /** A line that wraps would make the block higher than it is taken to be. */
  #drawn(block: readonly string[]): string {
    const columns = (this.#out.columns ?? 80) - 1;
    return block.map((line) => `${line.slice(0, columns)}\n`).join("");
  }
}
