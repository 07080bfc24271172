import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { hostIdOf } from "./host-id.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "kvmgov-host-id-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

it("takes the configured id", () => {
  expect(hostIdOf("h1", dir, "/nonexistent")).toBe("h1");
});

it("never shows the machine id itself, and gives the same id each time", () => {
  const file = path.join(dir, "machine-id");
  writeFileSync(file, "0123456789abcdef0123456789abcdef\n");
  const id = hostIdOf(undefined, dir, file);
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(id).not.toContain("0123456789abcdef");
  expect(hostIdOf("", dir, file)).toBe(id);
});

it.each(["absent", "empty"])("makes one and keeps it where the machine id is %s", (kind) => {
  const file = path.join(dir, "machine-id");
  if (kind === "empty") writeFileSync(file, "\n");
  const id = hostIdOf(undefined, dir, file);
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(hostIdOf(undefined, dir, file)).toBe(id);
});
