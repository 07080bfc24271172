import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Guest } from "../guests/guest.ts";
import { MemoryNodes } from "./memory-nodes.ts";

let dir: string;
let nowMs = 0;
let nodes = 2;
let failures: unknown[] = [];

const guest = (n: number, pid = n): Guest => ({
  uuid: `00000000-0000-4000-8000-00000000000${n}`,
  name: `guest-${n}`,
  source: "libvirt",
  pid,
  startTime: 1,
  state: "running",
  vcpus: [],
  ioThreads: [],
  emulatorTids: [],
});

function setGuest(pid: number, { group = "", maps = "", hugeKb = 0 }): void {
  mkdirSync(join(dir, String(pid)), { recursive: true });
  const status = `Name:\tqemu\nVmRSS:\t    5000 kB\nHugetlbPages:\t    ${hugeKb} kB\n`;
  writeFileSync(join(dir, `${pid}/status`), status);
  if (maps !== "") writeFileSync(join(dir, `${pid}/numa_maps`), maps);
  mkdirSync(join(dir, `group-${pid}`), { recursive: true });
  if (group !== "") writeFileSync(join(dir, `group-${pid}/memory.numa_stat`), group);
}

const open = (hasGroup = true): MemoryNodes =>
  new MemoryNodes({
    procRoot: dir,
    locate: ({ pid }) => (hasGroup ? { dir: join(dir, `group-${pid}`), version: 2 } : undefined),
    nodes: () => nodes,
    nowMs: () => nowMs,
    intervalMs: 1000,
    onPass: (_ms, errors) => failures.push(...errors),
  });

async function read(memory: MemoryNodes, ...guests: Guest[]) {
  memory.tick(guests);
  await memory.settled();
  return guests.map((each) =>
    memory
      .of(each)
      ?.map(({ node, share }) => `${node}:${share}`)
      .join(),
  );
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "kvmgov-memory-"));
  nowMs = 0;
  nodes = 2;
  failures = [];
});
afterEach(() => rmSync(dir, { recursive: true }));

describe("MemoryNodes", () => {
  it("asks the guest's own group, and page tables where there is none or memory is in huge pages", async () => {
    setGuest(1, { group: "anon N0=1 N1=3\n", maps: "7f x N0=1 kernelpagesize_kB=4\n" });
    setGuest(2, { group: "anon N0=1 N1=3\n", maps: "7f huge N1=1 kernelpagesize_kB=4\n", hugeKb: 9000 });
    expect(await read(open(), guest(1), guest(2))).toEqual(["0:0.25,1:0.75", "1:1"]);
    expect(await read(open(false), guest(1))).toEqual(["0:1"]);
  });

  it("reads again after the interval, and at once for another run of the guest", async () => {
    setGuest(1, { group: "anon N0=4\n" });
    const memory = open();
    await read(memory, guest(1));
    setGuest(1, { group: "anon N1=4\n" });
    nowMs = 999;
    expect(await read(memory, guest(1))).toEqual(["0:1"]);
    nowMs = 1000;
    expect(await read(memory, guest(1))).toEqual(["1:1"]);
    expect(memory.of(guest(1, 7))).toBeUndefined();
    setGuest(7, { group: "anon N0=4\n" });
    expect(await read(memory, guest(1, 7))).toEqual(["0:1"]);
  });

  it("reads nothing on a host with one node", async () => {
    nodes = 1;
    setGuest(1, { group: "anon N0=4\n" });
    expect(await read(open(), guest(1))).toEqual([undefined]);
  });

  it("says what fails, but not that a guest is gone, and reads the others", async () => {
    setGuest(1, {});
    setGuest(2, { group: "anon N1=4\n" });
    mkdirSync(join(dir, "group-1/memory.numa_stat"));
    expect(await read(open(), guest(1), guest(3), guest(2))).toEqual([undefined, undefined, "1:1"]);
    expect(failures).toHaveLength(1);
  });
});
