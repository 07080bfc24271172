/** The few file operations that journal and audit stand on, so that each of them can be made to fail in a test. */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readSync } from "node:fs";
import { renameSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";

export interface FileLayer {
  /** Makes the directory and the file where they are missing, for root's eyes only. */
  openAppend(file: string): { descriptor: number; length: number };
  /** @returns bytes taken, perhaps fewer than given (a disk that fills up) */
  write(descriptor: number, bytes: Uint8Array): number;
  sync(descriptor: number): void;
  truncate(descriptor: number, length: number): void;
  close(descriptor: number): void;
  /** Writes a whole file; on the disk when it returns, but for its name. */
  writeWhole(file: string, bytes: Uint8Array): void;
  rename(from: string, to: string): void;
  remove(file: string): void;
  /** A new name, or one that is gone, is on the disk only when its directory is. */
  syncDirectory(dir: string): void;
  endsWithNewline(file: string): boolean;
}

export const NODE_FILES: FileLayer = {
  openAppend(file) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const descriptor = openSync(file, "a", 0o600);
    return { descriptor, length: fstatSync(descriptor).size };
  },
  write: (descriptor, bytes) => writeSync(descriptor, bytes),
  sync: fsyncSync,
  truncate: ftruncateSync,
  close: closeSync,
  writeWhole: (file, bytes) => writeFileSync(file, bytes, { mode: 0o600, flush: true }),
  rename: renameSync,
  remove: (file) => rmSync(file, { force: true }),
  syncDirectory(dir) {
    if (statSync(dir, { throwIfNoEntry: false }) === undefined) return;
    const descriptor = openSync(dir, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  },
  endsWithNewline(file) {
    const descriptor = openSync(file, "r");
    try {
      const last = Buffer.alloc(1);
      readSync(descriptor, last, 0, 1, fstatSync(descriptor).size - 1);
      return last[0] === 10;
    } finally {
      closeSync(descriptor);
    }
  },
};
