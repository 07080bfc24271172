/**
 * Standard output and error can go away while a command runs: the reader of a pipe ends (`| head`), a terminal is closed, a disk is full.
 * Node would end the process with a stack trace; a governor must not end because nobody listens, nor a restore half-way.
 */
import type { Writable } from "node:stream";

/** What is written from then on is lost, and the command goes on. Exit code 1 where somebody wanted it and cannot have it. */
export function surviveLostOutput(
  streams: readonly Writable[] = [process.stdout, process.stderr],
  failed: () => void = () => void process.once("exit", () => (process.exitCode ||= 1)),
): void {
  let isTold = false;
  for (const stream of streams) {
    stream.on("error", ({ code }: NodeJS.ErrnoException) => {
      // EPIPE: the reader has seen enough.
      if (code === "EPIPE" || isTold) return;
      isTold = true;
      failed();
    });
  }
}

/** Prints lines. @returns false once nobody takes them any more: who only prints can stop */
export function printed(lines: readonly string[], stream: Writable = process.stdout): Promise<boolean> {
  return new Promise((resolve) => {
    if (lines.length === 0) return resolve(true);
    stream.write(`${lines.join("\n")}\n`, (error) => resolve(error === null || error === undefined));
  });
}
