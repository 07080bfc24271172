/** What each way writes, and that it is taken back: exactly, last first, and also where one of the changes is refused. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { getAffinity } from "@kvm-governor/linux";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Change, ChangeError, makeChanges } from "./changes.ts";
import { getSliceNs, hasSlices } from "./slice.ts";
import { type Ground, REFERENCES, WAYS, changesOf } from "./ways.ts";

const ground: Ground = {
  cpus: [4, 5],
  scientific: { dir: "/sci", vcpuDirs: ["/sci/vcpu0", "/sci/vcpu1"], vcpuTids: [11, 12] },
  services: [
    { dir: "/web", vcpuDirs: ["/web/vcpu0"], vcpuTids: [21], slaCores: 0.6 },
    { dir: "/pc", vcpuDirs: ["/pc/vcpu0"], vcpuTids: [31], slaCores: 0.2 },
  ],
};

/** As a line: `/sci/cpu.idle = 1`. */
function lineOf(change: Change): string {
  if (change.kind === "file") return `${change.dir}/${change.name} = ${change.text}`;
  return change.kind === "affinity"
    ? `${change.tid} on ${change.cpus.join(",")}`
    : `${change.tid} slice ${change.ns}`;
}

const written = (name: string): string[] =>
  changesOf(WAYS.get(name)?.setting ?? {}, ground)
    .map(lineOf)
    .map((line) => line.replace("/cpu.", " "));

describe("what a way writes", () => {
  test.each([...REFERENCES, "default"])("%s: nothing", (name) => expect(written(name)).toEqual([]));

  test("static: a CPU for each vCPU, and the services' SLA as quotas, period first", () => {
    expect(written("static")).toEqual([
      "11 on 4",
      "12 on 5",
      "/web/vcpu0 cfs_period_us = 100000",
      "/web/vcpu0 cfs_quota_us = 60000",
      "/pc/vcpu0 cfs_period_us = 100000",
      "/pc/vcpu0 cfs_quota_us = 20000",
    ]);
  });

  test("a service with two vCPUs shares its SLA between them; more vCPUs than CPUs begin with the first again", () => {
    const [web] = ground.services;
    if (web === undefined) throw new Error("there is a web guest");
    const wide = { ...web, vcpuDirs: ["/web/vcpu0", "/web/vcpu1"] };
    const scientific = { ...ground.scientific, vcpuTids: [11, 12, 13] };
    const lines = changesOf({ isApart: true, isCapped: true }, { ...ground, scientific, services: [wide] });
    expect(lines.map(lineOf)).toEqual([
      "11 on 4",
      "12 on 5",
      "13 on 4",
      "/web/vcpu0/cpu.cfs_period_us = 100000",
      "/web/vcpu0/cpu.cfs_quota_us = 30000",
      "/web/vcpu1/cpu.cfs_period_us = 100000",
      "/web/vcpu1/cpu.cfs_quota_us = 30000",
    ]);
  });

  test("the references run one side alone", () => {
    expect([...WAYS].flatMap(([name, { only }]) => (only === undefined ? [] : [[name, only]]))).toEqual([
      ["alone", "scientific"],
      ["services", "services"],
    ]);
  });

  test("weights and windows are as they are called", () => {
    for (const name of WAYS.keys()) {
      const [, by, to = "1"] = /^weight (\d+)(?:\/(\d+))?/.exec(name) ?? [];
      if (by !== undefined)
        expect([name, written(name)[0]]).toEqual([name, `/sci shares = ${(1024 * Number(by)) / Number(to)}`]);
      const ms = /^windows (\d+) ms/.exec(name)?.[1];
      if (ms !== undefined) expect(written(name)).toContain(`/sci cfs_period_us = ${Number(ms) * 1000}`);
    }
  });

  test("weights are against one service", () => {
    expect(written("weight 1/8+apart")).toEqual(["/sci shares = 128", "11 on 4", "12 on 5"]);
    expect(written("weight 1/4+apart")[0]).toBe("/sci shares = 256");
    expect(written("weight 8")).toEqual(["/sci shares = 8192"]);
  });

  test("idle, with and without a CPU a vCPU, and with the services' slices", () => {
    expect(written("idle")).toEqual(["/sci idle = 1"]);
    expect(written("idle+apart")).toEqual(["/sci idle = 1", "11 on 4", "12 on 5"]);
    const slices = ["21 slice 100000000", "31 slice 100000000"];
    expect(written("idle+apart+capped")).toEqual(["/sci idle = 1", ...written("static")]);
    expect(written("idle+apart+slice")).toEqual([...written("idle+apart"), ...slices]);
  });

  test("windows leave the services their SLA: 0.8 of 2 CPUs", () => {
    expect(written("windows 20 ms")).toEqual([
      ...written("weight 8+apart"),
      "/sci cfs_period_us = 20000",
      "/sci cfs_quota_us = 24000",
    ]);
  });

  test("no quota below what the kernel takes", () => {
    const promised = ground.services.map((service) => ({ ...service, slaCores: 1 }));
    const lines = changesOf({ windowUs: 8000 }, { ...ground, services: promised }).map(lineOf);
    expect(lines[1]).toBe("/sci/cpu.cfs_quota_us = 1000");
    const tooMuch = ground.services.map((service) => ({ ...service, slaCores: 2 }));
    expect(changesOf({ windowUs: 8000 }, { ...ground, services: tooMuch }).map(lineOf)).toEqual(lines);
  });
});

describe("changes", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), "kvmgov-ways-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const put = (name: string, text: string): Change => ({ kind: "file", dir, name, text });
  const read = (name: string): string => readFileSync(path.join(dir, name), "utf8");

  test("are taken back last first: a file that was written twice is as it was", () => {
    writeFileSync(path.join(dir, "quota"), "-1\n");
    const takeBack = makeChanges([put("quota", "5000"), put("quota", "6000")]);
    expect(read("quota")).toBe("6000");
    takeBack();
    expect(read("quota")).toBe("-1");
  });

  test("cpu.idle gives back the weight that the kernel takes with it", () => {
    writeFileSync(path.join(dir, "cpu.idle"), "0\n");
    writeFileSync(path.join(dir, "cpu.shares"), "512\n");
    const takeBack = makeChanges([put("cpu.idle", "1")]);
    writeFileSync(path.join(dir, "cpu.shares"), "1024\n"); // as the kernel does
    takeBack();
    expect([read("cpu.idle"), read("cpu.shares")]).toEqual(["0", "512"]);
  });

  test("one that is refused is named, and those before it are taken back", () => {
    writeFileSync(path.join(dir, "quota"), "-1\n");
    const refused = [put("quota", "5000"), put(path.join("gone", "cpu.shares"), "2")];
    expect(() => makeChanges(refused)).toThrow(ChangeError);
    expect(() => makeChanges(refused)).toThrow(/^2 in .*gone\/cpu\.shares: ENOENT/);
    expect(read("quota")).toBe("-1");
  });

  test("one that cannot be taken back is named, and the others are", () => {
    mkdirSync(path.join(dir, "guest"));
    writeFileSync(path.join(dir, "quota"), "-1\n");
    writeFileSync(path.join(dir, "guest", "weight"), "1\n");
    const takeBack = makeChanges([put("quota", "5000"), put(path.join("guest", "weight"), "2")]);
    rmSync(path.join(dir, "guest"), { recursive: true });
    expect(takeBack).toThrow(/2 in .*guest\/weight could not be taken back: ENOENT/);
    expect(read("quota")).toBe("-1");
  });

  test("affinity of a thread", () => {
    const before = getAffinity(process.pid);
    const cpus = before.slice(0, 1);
    const takeBack = makeChanges([{ kind: "affinity", tid: process.pid, cpus }]);
    expect(getAffinity(process.pid)).toEqual(cpus);
    takeBack();
    expect(getAffinity(process.pid)).toEqual(before);
  });

  const withSlices = hasSlices() ? test : test.skip;
  withSlices(`slice of a thread${hasSlices() ? "" : " — skipped: Linux before 6.12"}`, () => {
    const before = getSliceNs(process.pid);
    const takeBack = makeChanges([{ kind: "slice", tid: process.pid, ns: 20e6 }]);
    expect(getSliceNs(process.pid)).toBe(20e6);
    takeBack();
    expect(getSliceNs(process.pid)).toBe(before);
    const tooLong = { kind: "slice", tid: process.pid, ns: 1e9 } as const;
    expect(() => makeChanges([tooLong])).toThrow(/the kernel made it 100000000 ns/);
    expect(getSliceNs(process.pid)).toBe(before);
  });
});
