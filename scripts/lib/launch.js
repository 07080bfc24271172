/** What the launchers share: messages, and handing over to a program under Node 24. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NODE_MAJOR = 24;
const FORWARDED = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/** Progress goes to stderr: stdout belongs to the program that is launched. @param {string} line */
export function log(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * Runs a launcher; what it returns is the exit code. Errors end it with their message and without a stack.
 * @param {() => Promise<number>} launcher
 */
export async function main(launcher) {
  try {
    process.exitCode = await launcher();
  } catch (error) {
    log(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

/** The Node that runs our TypeScript: the one in node_modules, else this one if it is new enough. */
export function findNode() {
  const bundled = path.join(ROOT, `node_modules/node-linux-${process.arch}/bin/node`);
  if (existsSync(bundled)) return bundled;
  if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR) return process.execPath;
  throw new Error(
    `kvm-governor needs Node ${NODE_MAJOR}: this is ${process.version}, and node_modules has none for ` +
      `${process.platform}-${process.arch} (optional dependency node-linux-${process.arch}). Install Node ${NODE_MAJOR} and try again.`,
  );
}

/**
 * Runs a script of the repository under Node 24 and resolves with its exit code. Signals are passed on.
 * @param {string} script relative to the root of the repository
 * @param {readonly string[]} args
 */
export function runNode(script, args) {
  return runForeground(findNode(), [
    "--disable-warning=ExperimentalWarning",
    path.join(ROOT, script),
    ...args,
  ]);
}

/**
 * Runs a program in the foreground and resolves with its exit code (128 + signal when a signal ended it).
 * @param {string} program
 * @param {readonly string[]} args
 * @returns {Promise<number>}
 */
export function runForeground(program, args) {
  const node = path.dirname(findNode());
  const env = { ...process.env, PATH: `${node}:${process.env["PATH"] ?? ""}` };
  const child = spawn(program, args, { stdio: "inherit", env });
  const forward = (/** @type {NodeJS.Signals} */ signal) => {
    // On a terminal Ctrl-C reaches the child too; a second one might mean "at once" to it.
    if (signal !== "SIGINT" || process.stdin.isTTY !== true) child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      for (const one of FORWARDED) process.off(one, forward);
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
