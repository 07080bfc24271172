/** Small reads of /proc and /sys. Both are a race by nature: what was listed may be gone when it is opened. */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

/** Whether an error says that the process, thread or file is no longer there: normal, and no failure. */
export function isVanished(error: unknown): boolean {
  const code = errorCode(error);
  // ESRCH: the file was opened and its process died before the read. ENOTDIR: a fake tree's file in the way.
  return code === "ENOENT" || code === "ESRCH" || code === "ENOTDIR";
}

/** Symbolic errno of an error of Node's fs, or undefined. */
export function errorCode(error: unknown): string | undefined {
  // Not by instanceof: fs throws the Error of another realm where code runs in a VM context, as under jest.
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Text of a file, or undefined where it is gone. Other errors are thrown. */
export function readIfThere(path: string): string | undefined {
  return ifThere(() => readFileSync(path, "utf8"));
}

/** All bytes of a file, or undefined where it is gone. Other errors are thrown. */
export function readBytesIfThere(path: string): Buffer | undefined {
  return ifThere(() => readFileSync(path));
}

/** Names in a directory, or undefined where it is gone. Other errors are thrown. */
export function listIfThere(path: string): string[] | undefined {
  return ifThere(() => readdirSync(path));
}

/** Target of a symbolic link, or undefined where it is gone (also /proc/PID/exe of a kernel thread). */
export function readlinkIfThere(path: string): string | undefined {
  return ifThere(() => readlinkSync(path));
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isVanished(error)) return undefined;
    throw error;
  }
}
