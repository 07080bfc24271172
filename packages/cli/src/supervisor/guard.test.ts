import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { bootTimeUs, writeHeartbeat } from "@kvm-governor/linux";
import type { Child } from "./child.ts";
import { Guard } from "./guard.ts";

describe("Guard", () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), "kvmgov-guard-"));
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
    rmSync(dir, { recursive: true });
  });

  it("says once that its mark cannot be written, goes on, and says when it can again", () => {
    const run = path.join(dir, "run");
    // No directory can be made where a file is.
    writeFileSync(run, "");
    const events: (string | undefined)[] = [];
    const places = {
      stateDir: path.join(dir, "state"),
      runDir: path.join(run, "kvmgov"),
      libvirtRunDir: dir,
    };
    const guard = new Guard({ ...places, silenceMsMax: 1000 }, ({ event }) => events.push(event));
    let looks = 0;
    guard.watch(() => {
      looks++;
      return undefined;
    });
    jest.advanceTimersByTime(1000);
    expect([looks, events]).toEqual([4, ["guard-mark-failed"]]);
    rmSync(run);
    jest.advanceTimersByTime(500);
    expect([looks, events]).toEqual([6, ["guard-mark-failed", "guard-mark-works-again"]]);
    guard.stop();
    expect(existsSync(path.join(run, "kvmgov/guard.alive"))).toBe(false);
  });

  it.each([
    ["rests while the plan of its actuator holds for long", 60_000, 5],
    ["looks four times a second where it is void soon", 2000, 20],
  ])("%s", (_what, holdsMs, expected) => {
    const runDir = path.join(dir, "run");
    const places = { stateDir: path.join(dir, "state"), runDir, libvirtRunDir: dir };
    const nowUs = bootTimeUs();
    mkdirSync(runDir);
    writeHeartbeat(runDir, {
      pid: 1,
      bootTimeUs: nowUs,
      holding: true,
      expiresAtUs: nowUs + holdsMs * 1000,
    });
    const guard = new Guard({ ...places, silenceMsMax: 1000 }, () => undefined);
    let looks = 0;
    guard.watch(() => {
      looks++;
      return { running: true, pid: 1, kill: () => undefined } as unknown as Child;
    });
    jest.advanceTimersByTime(5000);
    expect(looks).toBe(expected);
    guard.stop();
    jest.advanceTimersByTime(5000);
    expect(looks).toBe(expected);
  });

  it("does not go on where it was told to stop in the middle of a look", () => {
    const places = { stateDir: path.join(dir, "state"), runDir: path.join(dir, "run"), libvirtRunDir: dir };
    const guard = new Guard({ ...places, silenceMsMax: 1000 }, () => undefined);
    let looks = 0;
    guard.watch(() => {
      looks++;
      guard.stop();
      return undefined;
    });
    jest.advanceTimersByTime(1000);
    expect(looks).toBe(1);
  });

  it("goes on where a heartbeat cannot be read", () => {
    const events: (string | undefined)[] = [];
    const runDir = path.join(dir, "run");
    const places = { stateDir: path.join(dir, "state"), runDir, libvirtRunDir: dir };
    const guard = new Guard({ ...places, silenceMsMax: 1000 }, ({ event }) => events.push(event));
    guard.watch(() => {
      throw new Error("EIO");
    });
    jest.advanceTimersByTime(1000);
    expect(events).toEqual(["guard-look-failed"]);
    guard.stop();
  });
});
