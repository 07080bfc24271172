#!/usr/bin/env node
/** `npm run bench -- NAME [--json]`: runs test/bench/NAME.bench.ts; without a name, lists them. */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { ROOT, log, main, runNode } from "./lib/launch.js";
import { ensureNodeModules } from "./lib/node-modules.js";

const SUFFIX = ".bench.ts";

await main(async () => {
  const [name, ...args] = process.argv.slice(2);
  const names = benchmarks();
  if (name === undefined || !names.includes(name)) {
    log(`usage: npm run bench -- NAME [--json]\nbenchmarks: ${names.join(", ") || "none yet"}`);
    return name === undefined ? 0 : 2;
  }
  await ensureNodeModules();
  return runNode(`test/bench/${name}${SUFFIX}`, args);
});

function benchmarks() {
  const dir = path.join(ROOT, "test/bench");
  if (!existsSync(dir)) return [];
  const files = readdirSync(dir).filter((file) => file.endsWith(SUFFIX));
  return files.map((file) => file.slice(0, -SUFFIX.length)).sort();
}
