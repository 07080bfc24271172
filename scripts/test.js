#!/usr/bin/env node
/**
 * `npm test`: fetches what the tests need, runs the unit tests and then the end-to-end tests on real servers and
 * guests. The last line is `N passed, N failed, N skipped`. Arguments go to both runs of jest.
 */
import { runJest } from "./lib/jest.js";
import { log, main } from "./lib/launch.js";
import { ensureNodeModules } from "./lib/node-modules.js";
import { ensureTools } from "./lib/toolbox.js";

const SETS = /** @type {const} */ ([
  "servers",
  "lab",
  "prometheus",
  "alertmanager",
  "compose",
  "browser",
  "v2-host",
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
  const e2e = await runJest("e2e", ["--runInBand", ...args]);
  return report([unit, e2e]);
});

/** @param {import("./lib/jest.js").Results[]} all */
function report(all) {
  const problems = all.flatMap((results) => results.problems);
  const skipped = all.flatMap((results) => results.skipped);
  const passed = all.reduce((sum, results) => sum + results.passed, 0);
  const failed = all.reduce((sum, results) => sum + results.failed, 0) + problems.length;
  for (const problem of problems) console.log(`failed: ${problem}`);
  for (const name of skipped)
    console.log(name.includes("skipped: ") ? name : `${name} (skipped without a reason)`);
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  return failed > 0 || passed === 0 ? 1 : 0;
}
