import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readPageMark, writePageMark } from "./page-mark.ts";

describe("where the actuator's pages are", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "kvmgov-page-mark-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it("is read as it was written last, also into a directory that is not there yet", () => {
    const runDir = join(dir, "run");
    expect(readPageMark(runDir)).toBeUndefined();
    writePageMark(runDir, "http://127.0.0.1:9473");
    writePageMark(runDir, "https://[::1]:9473");
    expect(readPageMark(runDir)).toBe("https://[::1]:9473");
  });

  it.each([
    "",
    "127.0.0.1:9473",
    "file:///etc/passwd",
    "http://a\nhttp://b",
    "http://a:99999",
    `http://${"a".repeat(2048)}`,
  ])("is nothing where the file has no address: %j", (text) => {
    writeFileSync(join(dir, "actuator.page"), text);
    expect(readPageMark(dir)).toBeUndefined();
  });
});
