/** One process at a time: a lock that the kernel drops when its holder dies, however it dies. */
import { spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Runs `work` while holding an exclusive lock on `file`. Waits for whoever holds it.
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(file, work) {
  // flock(1) holds the lock as long as its stdin is open: our death closes it, so no stale lock can stay.
  const holder = spawn("flock", ["--exclusive", file, "sh", "-c", "echo held; exec cat >/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(holder, "close");
  await Promise.race([once(holder.stdout, "data"), ended.then(() => failed(file))]);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}

/** @param {string} file */
function failed(file) {
  throw new Error(`cannot lock ${file}: flock (package util-linux) ended early`);
}
