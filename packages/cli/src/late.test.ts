import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "@jest/globals";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

/** Prints the address of each module that is loaded. */
const HOOK = `data:text/javascript,import { registerHooks } from "node:module";
registerHooks({ load(url, context, next) { process.stderr.write(url + "\\n"); return next(url, context); } });`;

/** Modules that a command loads. */
function loadedBy(...args: string[]): string[] {
  const { stderr } = spawnSync(process.execPath, ["--import", HOOK, MAIN, ...args], { encoding: "utf8" });
  return stderr.split("\n").filter((line) => line.startsWith("file:"));
}

it("loads what a command needs, and none of the others", () => {
  const dear = /node_modules\/(@nats-io|ioredis|koffi|express)\/|packages\/(lab|linux)\//;
  expect(loadedBy("version").filter((url) => dear.test(url))).toEqual([]);
  expect(loadedBy("--help").filter((url) => url.includes("/src/commands/"))).toEqual([]);
  // The same look finds them where they are needed.
  expect(loadedBy("audit", "--state-dir", "/nonexistent").some((url) => dear.test(url))).toBe(true);
});
