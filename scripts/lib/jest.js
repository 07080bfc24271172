/** Running jest and adding its results up. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ROOT, findNode } from "./launch.js";

/** Jest that has written its results but does not end within this time (ms) was kept alive by something a test left. */
const EXIT_GRACE_MS = 20_000;

/** @typedef {{ passed: number, failed: number, skipped: string[], problems: string[] }} Results `skipped`: full names, with reasons */
/** @typedef {{ name: string, message: string, status: string, assertionResults: { fullName: string, status: string }[] }} Suite */

/** The arguments that make Node run jest on our ES modules. */
export const JEST = [
  "--experimental-vm-modules",
  "--disable-warning=ExperimentalWarning",
  "node_modules/jest/bin/jest.js",
];

/**
 * Runs one jest project to its end and returns its results; jest's own report goes to stderr.
 * @param {string} project
 * @param {readonly string[]} args
 * @returns {Promise<Results>}
 */
export async function runJest(project, args) {
  const dir = mkdtempSync(path.join(tmpdir(), "kvmgov-jest-"));
  const file = path.join(dir, "results.json");
  try {
    const end = await start(["--selectProjects", project, "--json", `--outputFile=${file}`, ...args], file);
    if (!existsSync(file)) return failure(`${project}: jest ended without results (${end})`);
    const results = summarize(JSON.parse(readFileSync(file, "utf8")).testResults);
    if (end !== "hung") return results;
    return {
      ...results,
      problems: [...results.problems, `${project}: jest did not end: a test left something open`],
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * Adds up the suites. A suite that could not run at all counts as one failure.
 * @param {Suite[]} suites
 * @returns {Results}
 */
export function summarize(suites) {
  const tests = suites.flatMap((suite) => suite.assertionResults);
  const count = (/** @type {string} */ status) => tests.filter((test) => test.status === status).length;
  const broken = suites.filter(
    (suite) => suite.status === "failed" && !suite.assertionResults.some((test) => test.status === "failed"),
  );
  const skipped = tests.filter((test) => !["passed", "failed"].includes(test.status));
  return {
    passed: count("passed"),
    failed: count("failed"),
    skipped: skipped.map((test) => test.fullName),
    problems: broken.map(
      (suite) => `${path.relative(ROOT, suite.name)}: ${suite.message.trim().split("\n")[0]}`,
    ),
  };
}

/** @param {string} problem */
function failure(problem) {
  return { passed: 0, failed: 0, skipped: [], problems: [problem] };
}

/**
 * @param {readonly string[]} args
 * @param {string} file appears when jest has finished testing
 * @returns {Promise<string>} how it ended: its exit code or signal, or "hung"
 */
function start(args, file) {
  const child = spawn(findNode(), [...JEST, ...args], { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
  const forward = (/** @type {NodeJS.Signals} */ signal) => void child.kill(signal);
  process.on("SIGINT", forward).on("SIGTERM", forward);
  return new Promise((resolve, reject) => {
    let finishedAt = Infinity;
    const watch = setInterval(() => {
      if (existsSync(file)) finishedAt = Math.min(finishedAt, Date.now());
      if (Date.now() - finishedAt > EXIT_GRACE_MS) child.kill("SIGKILL");
    }, 500);
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      clearInterval(watch);
      process.off("SIGINT", forward).off("SIGTERM", forward);
      resolve(Date.now() - finishedAt > EXIT_GRACE_MS ? "hung" : String(code ?? signal));
    });
  });
}
