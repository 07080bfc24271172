#!/usr/bin/env node
/** `npm run demo`: fetches what is missing, then shows kvm-governor at work on real KVM guests (`kvmgov demo`). */
import { log, main, runNode } from "./lib/launch.js";
import { ensureNodeModules } from "./lib/node-modules.js";
import { ensureTools } from "./lib/toolbox.js";

await main(async () => {
  await ensureNodeModules();
  await ensureTools(["servers", "lab"], { log });
  return runNode("packages/cli/src/main.ts", ["demo", ...process.argv.slice(2)]);
});
