/** Running programs, for the bootstrap: plain JavaScript that Node 18 runs without any dependency. */
import { spawn } from "node:child_process";

/** A program that the bootstrap ran ended with an error. */
export class CommandError extends Error {
  /**
   * @param {string} command what was run, for people
   * @param {number | null} code exit code, null when a signal ended it
   * @param {string} stderr what it said
   */
  constructor(command, code, stderr) {
    super(`${command} failed (${code === null ? "killed" : `exit ${code}`}): ${shortened(stderr)}`);
    this.name = "CommandError";
    this.code = code;
    this.stderr = stderr;
  }
}

/**
 * Runs a program to its end and returns what it printed. Rejects with CommandError when it fails.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string }} [options]
 * @returns {Promise<string>}
 */
export function run(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += String(chunk)));
    child.stderr.on("data", (chunk) => (stderr += String(chunk)));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(stdout);
      else reject(new CommandError([program, ...args.slice(0, 2)].join(" "), code, stderr));
    });
  });
}

/**
 * What a program said, without the middle when it said much: npm begins with the cause, apt ends with it.
 * @param {string} text
 */
function shortened(text) {
  const lines = text.trim().split("\n");
  return (lines.length <= 12 ? lines : [...lines.slice(0, 6), "...", ...lines.slice(-6)]).join("\n");
}
