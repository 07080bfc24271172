/** The toolbox without a network: what it says when it cannot help, and that it prefers the machine's own programs. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ensureTools, missingPackages, whyNoTools } from "./lib/toolbox.js";

const PATH = process.env["PATH"];
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "kvmgov-toolbox-"));
});
afterEach(() => {
  process.env["PATH"] = PATH;
  rmSync(dir, { recursive: true });
});

function program(name: string): void {
  writeFileSync(path.join(dir, name), "#!/bin/sh\n");
  chmodSync(path.join(dir, name), 0o755);
}

test("the machine's own programs are used, and nothing is fetched for them", async () => {
  program("nats-server");
  program("redis-server");
  process.env["PATH"] = dir;
  expect(missingPackages("servers")).toEqual([]);
  const said: string[] = [];
  const tools = await ensureTools(["servers"], {
    root: path.join(dir, "box"),
    log: (line) => said.push(line),
  });
  expect(tools.find("nats-server").path).toBe(path.join(dir, "nats-server"));
  expect(said).toEqual([]);
  expect(() => tools.find("promtool")).toThrow("neither on this machine nor in the toolbox");
});

test("where apt cannot help, the message names what to install by hand", async () => {
  process.env["PATH"] = dir; // no apt-get here: /usr/sbin, searched besides, has none
  const promise = ensureTools(["prometheus"], { root: path.join(dir, "box") });
  await expect(promise).rejects.toThrow(
    /missing on this machine: prometheus, .*"apt-get install prometheus"/,
  );
});

test("an empty toolbox is told before anything is fetched", () => {
  expect(whyNoTools(["compose"], path.join(dir, "box"))).toMatch(/docker-compose|^undefined$/);
});
