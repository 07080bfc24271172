import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { hasGuard, HostLock, readHeartbeat, writeHeartbeat } from "@kvm-governor/linux";
import type { RestoreOptions, TakeOverReport } from "@kvm-governor/linux";
import { createLogger } from "@kvm-governor/service-kit";
import { Guardian } from "./guardian.ts";

const SECOND_US = 1_000_000;
const RESTORED: TakeOverReport = {
  guests: [],
  journal: { damage: [] },
  lost: false,
  unknown: [],
  auditFailures: 0,
};

let runDir: string;
let nowUs: number;
const taken = jest.fn<(options: RestoreOptions) => Promise<TakeOverReport>>();

beforeEach(() => {
  runDir = mkdtempSync(path.join(tmpdir(), "kvmgov-guardian-"));
  nowUs = 1000 * SECOND_US;
  taken.mockReset().mockResolvedValue(RESTORED);
});
afterEach(() => rmSync(runDir, { recursive: true }));

const guardian = (): Guardian =>
  new Guardian({
    stateDir: runDir,
    runDir,
    guests: () => [],
    silenceMsMax: 5000,
    log: createLogger("test", "silent"),
    nowUs: () => nowUs,
    takeOver: taken,
  });
const beat = (holding: boolean): void =>
  writeHeartbeat(runDir, { pid: 1, bootTimeUs: nowUs, holding, expiresAtUs: nowUs + 10 * SECOND_US });

test("says that it stands guard, and waits for the plan's end", async () => {
  beat(true);
  nowUs += 9 * SECOND_US;
  expect(await guardian().look()).toBe(250);
  expect(hasGuard(runDir, nowUs)).toBe(true);
  expect(taken).not.toHaveBeenCalled();
});

test("rests while the plan holds for long, and without a heartbeat looks as often as it may", async () => {
  const one = guardian();
  expect(await one.look()).toBe(250);
  beat(true);
  expect(await one.look()).toBe(1000);
});

test("takes over once when what is held is void", async () => {
  beat(true);
  nowUs += 11 * SECOND_US;
  const one = guardian();
  await one.look();
  await one.look();
  expect(taken).toHaveBeenCalledTimes(1);
  expect(readHeartbeat(runDir)).toBeUndefined();
});

test("leaves alone who holds nothing, or has not begun", async () => {
  const one = guardian();
  await one.look();
  beat(false);
  nowUs += 60 * SECOND_US;
  await one.look();
  expect(taken).not.toHaveBeenCalled();
});

test("tries again after a while when it failed, and keeps the heartbeat that calls for it", async () => {
  beat(true);
  nowUs += 11 * SECOND_US;
  taken.mockRejectedValueOnce(new Error("locked"));
  const one = guardian();
  await one.look();
  nowUs += SECOND_US;
  await one.look();
  expect(taken).toHaveBeenCalledTimes(1);
  nowUs += 5 * SECOND_US;
  await one.look();
  expect(taken).toHaveBeenCalledTimes(2);
  expect(readHeartbeat(runDir)).toBeUndefined();
});

test("does not remove the heartbeat of the actuator that came meanwhile", async () => {
  beat(true);
  nowUs += 11 * SECOND_US;
  taken.mockImplementation(async () => {
    beat(true);
    return RESTORED;
  });
  await guardian().look();
  expect(readHeartbeat(runDir)?.bootTimeUs).toBe(nowUs);
});

test("gives the next actuator time to begin, and takes over from one that never beats", async () => {
  beat(true);
  nowUs += 11 * SECOND_US;
  const one = guardian();
  // This process holds the lock, as an actuator does that restores what the one before left.
  const lock = new HostLock(runDir);
  await one.look();
  nowUs += 4 * SECOND_US;
  await one.look();
  expect(taken).not.toHaveBeenCalled();
  nowUs += 2 * SECOND_US;
  await one.look();
  expect(taken).toHaveBeenCalledTimes(1);
  lock[Symbol.dispose]();
});

/** What `end` says, four times a second, until it says that it may end. @returns seconds that it took */
async function ending(one: Guardian, eachTime: () => void = () => undefined): Promise<number> {
  const sinceUs = nowUs;
  while (!(await one.end())) {
    nowUs += SECOND_US / 4;
    eachTime();
    if (nowUs - sinceUs > 60 * SECOND_US) throw new Error("it does not end");
  }
  return (nowUs - sinceUs) / SECOND_US;
}

test("ends at once where nothing is held", async () => {
  const one = guardian();
  await one.look();
  beat(false);
  expect(await ending(one)).toBe(0);
  expect(hasGuard(runDir, nowUs)).toBe(false);
  expect(taken).not.toHaveBeenCalled();
});

test("told to end with an actuator that left its guests to it: they go back", async () => {
  const one = guardian();
  await one.look();
  writeHeartbeat(runDir, {
    ...{ pid: 1, bootTimeUs: nowUs, holding: true, isLeft: true },
    expiresAtUs: nowUs + 600 * SECOND_US,
  });
  expect(await ending(one)).toBeLessThanOrEqual(6.25);
  expect(taken).toHaveBeenCalledTimes(1);
  expect(readHeartbeat(runDir)).toBeUndefined();
});

test("told to end beside an actuator that dies at that moment: the same", async () => {
  const one = guardian();
  beat(true);
  await one.look();
  await ending(one);
  expect(taken).toHaveBeenCalledTimes(1);
});

test("told to end beside one that lives on, it leaves the guests to that", async () => {
  const one = guardian();
  // This process holds the lock, as an actuator does.
  const lock = new HostLock(runDir);
  const beatOn = (): void =>
    writeHeartbeat(runDir, {
      ...{ pid: process.pid, bootTimeUs: nowUs, holding: true },
      expiresAtUs: nowUs + 10 * SECOND_US,
    });
  beatOn();
  await one.look();
  expect(await ending(one, beatOn)).toBeLessThan(4);
  expect(hasGuard(runDir, nowUs)).toBe(false);
  expect(taken).not.toHaveBeenCalled();
  lock[Symbol.dispose]();
});

test("told to end while the next actuator begins, it leaves what was left to that", async () => {
  const one = guardian();
  beat(true);
  const lock = new HostLock(runDir);
  expect(await ending(one)).toBe(0);
  expect(taken).not.toHaveBeenCalled();
  lock[Symbol.dispose]();
});
