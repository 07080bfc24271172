#!/usr/bin/env node
/** `npm start`: fetches what is missing, then runs all of kvm-governor on this host (`kvmgov up`). */
import { log, main, runNode } from "./lib/launch.js";
import { ensureNodeModules } from "./lib/node-modules.js";
import { ensureTools } from "./lib/toolbox.js";

await main(async () => {
  await ensureNodeModules();
  const configured = process.env["KVMGOV_NATS_URL"] && process.env["KVMGOV_REDIS_URL"];
  if (!configured) await ensureTools(["servers"], { log });
  return runNode("packages/cli/src/main.ts", ["up", ...process.argv.slice(2)]);
});
