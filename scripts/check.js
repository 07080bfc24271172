#!/usr/bin/env node
/** `npm run check`: types, lint, format, import directions and unit tests. All are run; any that fails fails it. */
import { JEST } from "./lib/jest.js";
import { ROOT, findNode, log, main, runForeground } from "./lib/launch.js";
import { ensureNodeModules } from "./lib/node-modules.js";

await main(async () => {
  await ensureNodeModules();
  process.chdir(ROOT);
  const node = findNode();
  const bin = (/** @type {string} */ name) => `node_modules/.bin/${name}`;
  const failed = [];
  for (const [name, program, args] of /** @type {[string, string, string[]][]} */ ([
    ["types", bin("tsc"), ["-p", "."]],
    ["browser types", bin("tsc"), ["-p", "packages/console/src/browser"]],
    ["lint", bin("oxlint"), ["--type-aware", "--max-warnings=0", "--quiet"]],
    ["format", bin("prettier"), ["--check", "--log-level=warn", "."]],
    ["imports", node, ["scripts/check-imports.js"]],
    ["unit tests", node, [...JEST, "--selectProjects", "unit", "--silent"]],
  ])) {
    const started = Date.now();
    const code = await runForeground(program, args);
    log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    if (code !== 0) failed.push(name);
  }
  return failed.length === 0 ? 0 : 1;
});
