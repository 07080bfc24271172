/** A small file of /proc that is read again and again: opened once, which is most of the cost of a read. */
import { closeSync, openSync, readSync } from "node:fs";

const FIRST_BYTES = 4096;

export class KeptFile implements Disposable {
  readonly path: string;
  readonly #fd: number;
  #buffer = Buffer.alloc(FIRST_BYTES);

  /** Opens it; throws what openSync throws. */
  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, "r");
  }

  /** The whole text as it is now. Throws ESRCH where the file is of a process that is gone. */
  read(): string {
    let length = 0;
    for (;;) {
      // Position 0 first: the kernel writes the text anew for each pass.
      const got = readSync(this.#fd, this.#buffer, length, this.#buffer.length - length, length);
      if (got === 0) break;
      length += got;
      if (length === this.#buffer.length) {
        this.#buffer = Buffer.concat([this.#buffer], this.#buffer.length * 2);
      }
    }
    return this.#buffer.toString("utf8", 0, length);
  }

  close(): void {
    closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
