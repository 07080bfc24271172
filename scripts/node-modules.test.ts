/** Packages are installed again when, and only when, they are not those of package-lock.json. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { isInstalled } from "./lib/node-modules.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "kvmgov-modules-"));
  mkdirSync(path.join(root, "node_modules"));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(file: string, packages: Record<string, object>): void {
  writeFileSync(path.join(root, file), JSON.stringify({ packages }));
}

const wanted = {
  "": { name: "root" },
  "packages/own": { version: "0.1.0" },
  "node_modules/a": { version: "1.0.0" },
  "node_modules/other-platform": { version: "1.0.0", optional: true },
};

test.each([
  ["as wanted", { "node_modules/a": { version: "1.0.0" } }, true],
  ["an older version", { "node_modules/a": { version: "0.9.0" } }, false],
  ["one missing", {}, false],
])("%s: %o", (_name, installed, expected) => {
  write("package-lock.json", wanted);
  write("node_modules/.package-lock.json", installed);
  expect(isInstalled(root)).toBe(expected);
});

test("an installation that was killed has no lock file of its own", () => {
  write("package-lock.json", wanted);
  expect(isInstalled(root)).toBe(false);
});
