import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { putHandsOff, releaseHandsOff } from "@kvm-governor/linux";
import { ChangeWatch } from "./change-watch.ts";

let root: string;
let libvirtRunDir: string;
let stateDir: string;
let changes = 0;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kvmgov-changes-"));
  libvirtRunDir = join(root, "qemu");
  stateDir = join(root, "state");
  mkdirSync(stateDir);
});
afterEach(() => rmSync(root, { recursive: true }));

/** Whether what was done is heard of, within 2 s. */
async function isHeard(act: () => void): Promise<boolean> {
  changes = 0;
  act();
  for (let waited = 0; waited < 200 && changes === 0; waited++) await sleep(10);
  await sleep(20);
  return changes > 0;
}

it("hears of an operator's word, of its end, and of libvirt's files, wherever they come to be; not of our own", async () => {
  using watch = new ChangeWatch({ libvirtRunDir, stateDir });
  watch.onChange(() => changes++);
  // Without libvirt there is nothing to be heard of.
  expect(watch.ensure()).toBe(true);
  expect(await isHeard(() => putHandsOff(stateDir, "web"))).toBe(true);
  expect(await isHeard(() => void releaseHandsOff(stateDir, undefined))).toBe(true);
  mkdirSync(libvirtRunDir);
  expect(watch.ensure()).toBe(true);
  const change = (): void => {
    writeFileSync(join(root, "web.xml"), "<domstatus/>");
    renameSync(join(root, "web.xml"), join(libvirtRunDir, "web.xml"));
  };
  expect(await isHeard(change)).toBe(true);
  changes = 0;
  writeFileSync(join(stateDir, "audit.jsonl"), "{}\n");
  await sleep(100);
  expect(changes).toBe(0);
});
