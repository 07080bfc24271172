import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { isGiven, TaskActivity } from "./task-activity.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kvmgov-activity-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function fakeProc(namespace: string): void {
  mkdirSync(join(root, "self/ns"), { recursive: true });
  symlinkSync(namespace, join(root, "self/ns/pid"));
}
const put = (tasks: number, lastId: number): void =>
  writeFileSync(join(root, "loadavg"), `0.11 0.60 1.48 1/${tasks} ${lastId}\n`);

describe("TaskActivity", () => {
  it("tells what began and whether anything ended", () => {
    fakeProc("pid:[4026531836]");
    put(300, 1000);
    using activity = new TaskActivity(root);
    const looks: unknown[] = [activity.look(), activity.look()];
    for (const [tasks, lastId] of [
      [301, 1001],
      [301, 1001],
      [299, 1001],
      [299, 1004],
      [300, 1004],
      [300, 17],
    ] as const) {
      put(tasks, lastId);
      looks.push(activity.look());
    }
    expect(looks).toEqual([
      "unknown",
      "none",
      { from: 1000, to: 1001 },
      "none",
      "ends",
      { from: 1001, to: 1004 },
      "unknown",
      { from: 1004, to: 17 },
    ]);
  });

  it.each([
    ["in another namespace, whose loadavg hides ends behind the begins of elsewhere", "pid:[4026532000]"],
    ["where the namespace is not told", undefined],
  ])("knows nothing %s", (_what, namespace) => {
    if (namespace !== undefined) fakeProc(namespace);
    put(300, 1000);
    using activity = new TaskActivity(root);
    expect([activity.look(), activity.look()]).toEqual(["unknown", "unknown"]);
  });

  it("sees a real process begin", () => {
    using activity = new TaskActivity("/proc");
    activity.look();
    const pid = Number(execFileSync("sh", ["-c", "echo $$"]));
    const look = activity.look();
    // Elsewhere than in the initial namespace it says so.
    expect(look === "unknown" || (typeof look === "object" && isGiven(look, pid))).toBe(true);
  });
});

describe("isGiven", () => {
  it("knows ids that began again at the bottom", () => {
    const ids = [10, 11, 20, 21, 300];
    expect(ids.filter((id) => isGiven({ from: 10, to: 20 }, id))).toEqual([11, 20]);
    expect(ids.filter((id) => isGiven({ from: 20, to: 10 }, id))).toEqual([10, 21, 300]);
  });
});
