import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { DirectoryWatch } from "./directory-watch.ts";

let root: string;
let dir: string;
let changes = 0;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kvmgov-watch-"));
  dir = join(root, "qemu");
  changes = 0;
});
afterEach(() => rmSync(root, { recursive: true }));

async function heard(): Promise<boolean> {
  for (let waited = 0; waited < 200 && changes === 0; waited++) await sleep(10);
  const isHeard = changes > 0;
  await sleep(20);
  changes = 0;
  return isHeard;
}

test("hears of files that are renamed over others and removed, also after the directory was made anew", async () => {
  using watch = new DirectoryWatch(dir, () => changes++);
  expect([watch.ensure(), watch.isMissing]).toEqual([false, true]);
  for (let round = 0; round < 2; round++) {
    mkdirSync(dir);
    expect([watch.ensure(), watch.isMissing]).toEqual([true, false]);
    writeFileSync(join(root, "new"), "1");
    renameSync(join(root, "new"), join(dir, "web.xml"));
    expect(await heard()).toBe(true);
    expect(watch.ensure()).toBe(true);
    rmSync(join(dir, "web.xml"));
    expect(await heard()).toBe(true);
    rmSync(dir, { recursive: true });
    await heard();
    expect(watch.ensure()).toBe(false);
  }
});

test("does not take a directory that it cannot look at for one that is missing", () => {
  using watch = new DirectoryWatch(`${root}/${"x".repeat(300)}`, () => changes++);
  expect([watch.ensure(), watch.isMissing]).toEqual([false, false]);
});
