#!/usr/bin/env node
/**
 * `npm test`: fetches what the tests need, runs the unit tests and then the end-to-end tests on real servers and
 * guests; without arguments, files of the latter that failed once more (docs/decisions/0021). The last line is
 * `N passed, N failed, N skipped`. Arguments go to both runs of jest.
 */
import { runFailedAgain, runJest, summarize } from "./lib/jest.js";
import { log, main } from "./lib/launch.js";
import { ensureNodeModules } from "./lib/node-modules.js";
import { ensureTools } from "./lib/toolbox.js";

const SETS = /** @type {const} */ ([
  "servers",
  "lab",
  "prometheus",
  "alertmanager",
  "compose",
  "docker",
  "browser",
  "v2-host",
  "ssh",
  "arm64",
]);

await main(async () => {
  await ensureNodeModules();
  for (const set of SETS) {
    // Tests that need what is missing then skip and say so.
    await ensureTools([set], { log }).catch((error) => log(`tests will lack "${set}": ${error.message}`));
  }
  const own = process.argv.slice(2);
  const args = own.length > 0 ? ["--passWithNoTests", ...own] : [];
  const unit = await runJest("unit", args);
  const first = await runJest("e2e", ["--runInBand", ...args]);
  // Whoever asks for certain tests wants to see each failure.
  if (own.length > 0) return report([unit, first], []);
  const { run, unsteady } = await runFailedAgain(first, (files) => {
    log(
      `runs ${files.length} failed files once more: a fault fails again, a disturbance by the machine does not`,
    );
    return runJest("e2e", ["--runInBand", "--runTestsByPath", ...files]);
  });
  return report([unit, run], unsteady);
});

/**
 * @param {import("./lib/jest.js").Run[]} runs
 * @param {string[]} unsteady
 */
function report(runs, unsteady) {
  const { passed, failed, skipped, problems } = summarize(runs.flatMap(({ suites }) => suites));
  const broken = [...failed, ...problems, ...runs.flatMap((run) => run.problems)];
  for (const name of skipped)
    console.log(name.includes("skipped: ") ? name : `${name} (skipped without a reason)`);
  for (const name of unsteady) console.log(`unsteady (failed in the first of two runs): ${name}`);
  for (const name of broken) console.log(`failed: ${name}`);
  console.log(`${passed} passed, ${broken.length} failed, ${skipped.length} skipped`);
  return broken.length > 0 || passed === 0 ? 1 : 0;
}
