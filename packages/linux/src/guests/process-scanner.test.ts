import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { join } from "node:path";
import { ProcessScanner } from "./process-scanner.ts";
import { FakeHost, fakeGuest } from "./testing/fake-host.ts";

const SECOND_US = 1_000_000;
const shell = { args: [], startTime: 1, threads: {}, exe: "/bin/sh" };

let host: FakeHost;
let scanner: ProcessScanner;
let known: Set<number>;
beforeEach(() => {
  host = new FakeHost();
  scanner = new ProcessScanner(join(host.root, "proc"));
  known = new Set();
  for (const pid of [100, 101]) run(pid, shell);
  // The first looks know of no activity.
  for (let look = 0; look < 2; look++) expect(scanner.scan(known, 0).fresh).toEqual([]);
  scanner.scan(known, 0, "none");
});
afterEach(() => host[Symbol.dispose]());

function run(pid: number, process: Parameters<FakeHost["run"]>[1], leader = pid): void {
  host.run(pid, process);
  host.write(`proc/${pid}/status`, `Name:\tx\nTgid:\t${leader}\nPid:\t${pid}\n`);
}

describe("ProcessScanner, told what began", () => {
  it("looks at nothing else", () => {
    run(200, fakeGuest(200, "web"));
    run(300, fakeGuest(300, "db"));
    expect(scanner.scan(known, 1, { from: 199, to: 200 }).fresh).toEqual([200]);
    expect(scanner.scan(known, 2, "none").fresh).toEqual([200]);
    expect(scanner.scan(known, 3, "ends").fresh).toEqual([]);
  });

  it("looks once more at an id that was given before its process could be seen", () => {
    expect(scanner.scan(known, 1, { from: 199, to: 200 }).fresh).toEqual([]);
    run(200, fakeGuest(200, "web"));
    expect(scanner.scan(known, 2, "none").fresh).toEqual([200]);
  });

  it("sees a process that turned into QEMU by the threads that it makes, however old it is", () => {
    run(100, fakeGuest(100, "web"));
    run(201, fakeGuest(201, "web"), 100);
    expect(scanner.scan(known, 60 * SECOND_US, { from: 200, to: 201 }).fresh).toEqual([100]);
  });

  it("names known processes that made threads", () => {
    known.add(100);
    run(100, fakeGuest(100, "web"));
    run(201, fakeGuest(201, "web"), 100);
    const { fresh, grown } = scanner.scan(known, 1, { from: 200, to: 201 });
    expect([fresh, grown]).toEqual([[], new Set([100])]);
  });

  it("scans all where there is too much, or where ids began again", () => {
    run(200, fakeGuest(200, "web"));
    expect(scanner.scan(known, 1, { from: 199, to: 900 })).toEqual({ fresh: [200], grown: undefined });
    known.add(200);
    run(7, fakeGuest(7, "db"));
    expect(scanner.scan(known, 2, { from: 900, to: 7 }).fresh).toEqual([7]);
  });

  it("takes no thread and no process that went away for a process", () => {
    run(100, fakeGuest(100, "web"));
    run(201, fakeGuest(201, "web"), 100);
    run(202, fakeGuest(202, "db"));
    host.remove("proc/202");
    expect(scanner.scan(known, 1, { from: 199, to: 230 }).fresh).toEqual([100]);
  });
});
