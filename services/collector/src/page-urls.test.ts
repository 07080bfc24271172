import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writePageMark } from "@kvm-governor/linux";
import { PageUrls } from "./page-urls.ts";

describe("PageUrls", () => {
  const collector = "http://127.0.0.1:9471";
  let runDir: string;
  beforeEach(() => {
    runDir = mkdtempSync(join(tmpdir(), "kvmgov-page-urls-"));
  });
  afterEach(() => rmSync(runDir, { recursive: true }));

  it("have the actuator's as soon as it says it, and again when it says another", () => {
    const urls = new PageUrls({ collector, runDir, metricsUrls: {} });
    expect(urls.read()).toEqual({ collector });
    expect(urls.isChanged()).toBe(false);
    for (const actuator of ["http://127.0.0.1:9473", "http://127.0.0.1:40000"]) {
      writePageMark(runDir, actuator);
      expect(urls.isChanged()).toBe(true);
      expect(urls.read()).toEqual({ collector, actuator });
      expect(urls.isChanged()).toBe(false);
    }
  });

  it("are what is configured, where something is", () => {
    const metricsUrls = { collector: "http://h1:9471", actuator: "http://h1:9473" };
    const urls = new PageUrls({ collector, runDir, metricsUrls });
    writePageMark(runDir, "http://0.0.0.0:9473");
    expect(urls.isChanged()).toBe(false);
    expect(urls.read()).toEqual(metricsUrls);
  });
});
