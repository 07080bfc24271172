/** Running jest and adding its results up. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ROOT, findNode } from "./launch.js";

/** Jest that has written its results but does not end within this time (ms) was kept alive by something a test left. */
const EXIT_GRACE_MS = 20_000;

/** @typedef {{ suites: Suite[], problems: string[] }} Run `problems`: what went wrong outside of any suite */
/** @typedef {{ passed: number, failed: string[], skipped: string[], problems: string[] }} Results full names; `skipped`: with reasons */
/** @typedef {{ name: string, message: string, status: string, assertionResults: { fullName: string, status: string }[] }} Suite */

/** The arguments that make Node run jest on our ES modules. */
export const JEST = [
  "--experimental-vm-modules",
  "--disable-warning=ExperimentalWarning",
  "node_modules/jest/bin/jest.js",
];

/**
 * Runs one jest project to its end; jest's own report goes to stderr.
 * @param {string} project
 * @param {readonly string[]} args
 * @returns {Promise<Run>}
 */
export async function runJest(project, args) {
  const dir = mkdtempSync(path.join(tmpdir(), "kvmgov-jest-"));
  const file = path.join(dir, "results.json");
  try {
    const end = await start(["--selectProjects", project, "--json", `--outputFile=${file}`, ...args], file);
    if (!existsSync(file))
      return { suites: [], problems: [`${project}: jest ended without results (${end})`] };
    const suites = JSON.parse(readFileSync(file, "utf8")).testResults;
    return {
      suites,
      problems: end === "hung" ? [`${project}: jest did not end: a test left something open`] : [],
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * Runs the files once more that failed, and takes their second results for their first.
 * @param {Run} first
 * @param {(files: string[]) => Promise<Run>} run
 * @returns {Promise<{ run: Run, unsteady: string[] }>} `unsteady`: what failed in the first run and not in the second
 */
export async function runFailedAgain(first, run) {
  const broken = first.suites.filter(({ status }) => status === "failed");
  if (broken.length === 0) return { run: first, unsteady: [] };
  const second = await run(broken.map(({ name }) => name));
  const steady = first.suites.filter(({ status }) => status !== "failed");
  const still = failures(second.suites);
  return {
    run: { suites: [...steady, ...second.suites], problems: [...first.problems, ...second.problems] },
    unsteady: failures(broken).filter((failure) => !still.includes(failure)),
  };
}

/** @param {Suite[]} suites */
function failures(suites) {
  const { failed, problems } = summarize(suites);
  return [...failed, ...problems];
}

/**
 * Adds up the suites. A suite that could not run at all counts as one failure.
 * @param {Suite[]} suites
 * @returns {Results}
 */
export function summarize(suites) {
  const tests = suites.flatMap((suite) => suite.assertionResults);
  const names = (/** @type {(status: string) => boolean} */ is) =>
    tests.filter(({ status }) => is(status)).map(({ fullName }) => fullName);
  const broken = suites.filter(
    (suite) => suite.status === "failed" && !suite.assertionResults.some((test) => test.status === "failed"),
  );
  return {
    passed: names((status) => status === "passed").length,
    failed: names((status) => status === "failed"),
    skipped: names((status) => !["passed", "failed"].includes(status)),
    problems: broken.map(
      (suite) => `${path.relative(ROOT, suite.name)}: ${suite.message.trim().split("\n")[0]}`,
    ),
  };
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
