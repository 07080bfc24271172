#!/usr/bin/env node
/** The `kvmgov` command, from a checkout. */
import { main, runNode } from "./lib/launch.js";
import { ensureNodeModules } from "./lib/node-modules.js";

await main(async () => {
  await ensureNodeModules();
  return runNode("packages/cli/src/main.ts", process.argv.slice(2));
});
