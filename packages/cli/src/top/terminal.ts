/** A terminal that is drawn whole, frame by frame, and given back as it was. */
import type { ReadStream, WriteStream } from "node:tty";

const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_DOWN = "\u001b[J";
const INVERSE = "\u001b[7m";
const PLAIN = "\u001b[0m";
const CTRL_C = "\u0003";

export class Terminal {
  readonly #input: ReadStream;
  readonly #output: WriteStream;

  /** @param onKey single keys; Ctrl-C is `q` */
  constructor(input: ReadStream, output: WriteStream, onKey: (key: string) => void, onResize: () => void) {
    this.#input = input;
    this.#output = output;
    output.write(ENTER);
    output.on("resize", onResize);
    if (!input.isTTY) return;
    input.setRawMode(true);
    input.setEncoding("utf8");
    input.on("data", (text) => {
      for (const key of String(text)) onKey(key === CTRL_C ? "q" : key);
    });
  }

  /** @param lines @param inverse number of the line that is the table's head, or -1 @param foot last line of the screen */
  draw(lines: readonly string[], inverse: number, foot: string): void {
    const { rows, columns } = this.#output;
    const shown = lines.slice(0, Math.max(0, rows - 1)).map((line, at) => {
      const text = line.slice(0, columns);
      return `${at === inverse ? `${INVERSE}${text.padEnd(columns)}${PLAIN}` : text}${CLEAR_LINE}`;
    });
    while (shown.length < rows - 1) shown.push(CLEAR_LINE);
    this.#output.write(`${HOME}${shown.join("\r\n")}\r\n${foot.slice(0, columns)}${CLEAR_LINE}${CLEAR_DOWN}`);
  }

  close(): void {
    if (this.#input.isTTY) this.#input.setRawMode(false);
    this.#input.pause();
    this.#output.write(LEAVE);
  }
}
