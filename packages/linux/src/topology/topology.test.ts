import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { readTopology, TopologyError, TopologyReader, usableCpus } from "./topology.ts";

const tree = (name: string): string =>
  fileURLToPath(new URL(`../../../../test/trees/${name}/sys`, import.meta.url));

describe("readTopology", () => {
  it("reads two sockets of eight cores", () => {
    const topology = readTopology(tree("debian12-v2-systemd"));
    expect(topology).toHaveLength(16);
    expect(topology[11]).toEqual({ cpu: 11, package: 1, node: 1, llc: 8, core: 11, isolated: false });
  });

  it("reads SMT siblings, caches inside a package, holes and isolated CPUs", () => {
    const topology = readTopology(tree("proxmox8"));
    expect(topology.map((each) => each.cpu)).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    expect(topology.find((each) => each.cpu === 14)).toEqual({
      cpu: 14,
      package: 0,
      node: 0,
      llc: 4,
      core: 6,
      isolated: false,
    });
    // Its sibling 3 is offline: it is a core of its own.
    expect(topology.find((each) => each.cpu === 11)).toMatchObject({ core: 11, llc: 0 });
    expect(usableCpus(topology)).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14]);
  });

  it("agrees with this machine", () => {
    const topology = readTopology();
    expect(topology.length).toBeGreaterThan(0);
    for (const each of topology) {
      const lowest = topology.find((other) => other.cpu === each.llc);
      expect(lowest).toMatchObject({ llc: each.llc, package: each.package });
    }
  });
});

describe("a /sys that says little", () => {
  let root = "";
  const put = (file: string, text: string): void => {
    const path = join(root, "devices/system", file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "kvmgov-sys-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it("reads how fast CPUs are where they differ", () => {
    put("cpu/online", "0-2\n");
    put("cpu/cpu0/cpu_capacity", "446\n");
    put("cpu/cpu1/cpu_capacity", "1024\n");
    put("cpu/cpu2/cpu_capacity", "nonsense\n");
    expect(readTopology(root).map(({ capacity }) => capacity)).toEqual([446, 1024, undefined]);
  });

  it("is flat where only the online CPUs are known", () => {
    put("cpu/online", "1,4\n");
    expect(readTopology(root)).toEqual([
      { cpu: 1, package: -1, node: 0, llc: 1, core: 1, isolated: false },
      { cpu: 4, package: -1, node: 0, llc: 1, core: 4, isolated: false },
    ]);
  });

  it("does not name a core or cache after a CPU that is offline", () => {
    put("cpu/online", "1,3\n");
    put("cpu/cpu3/topology/core_cpus_list", "2-3\n");
    put("cpu/cpu3/cache/index3/level", "3\n");
    put("cpu/cpu3/cache/index3/shared_cpu_list", "0-3\n");
    expect(readTopology(root)[1]).toMatchObject({ cpu: 3, core: 3, llc: 1 });
  });

  it("takes the package for the cache where caches are unknown", () => {
    put("cpu/online", "0-3\n");
    for (const cpu of [0, 1, 2, 3])
      put(`cpu/cpu${cpu}/topology/core_siblings_list`, cpu < 2 ? "0-1\n" : "2-3\n");
    put("cpu/cpu0/topology/physical_package_id", "-1\n");
    put("cpu/cpu1/topology/physical_package_id", "4294967295\n");
    expect(readTopology(root).map((each) => [each.llc, each.package])).toEqual([
      [0, -1],
      [0, -1],
      [2, -1],
      [2, -1],
    ]);
  });

  it("refuses nonsense by file", () => {
    expect(() => readTopology(root)).toThrow(TopologyError);
    put("cpu/online", "all\n");
    expect(() => readTopology(root)).toThrow(/cpu\/online: CPU list "all/);
  });

  it("is read again only after CPUs went on- or offline", () => {
    cpSync(tree("proxmox8"), root, { recursive: true });
    const reader = new TopologyReader(root);
    const first = reader.read();
    expect(first.isChanged).toBe(true);
    expect(reader.read()).toEqual({ ...first, isChanged: false });
    expect(reader.read().topology).toBe(first.topology);
    put("cpu/online", "0-2\n");
    expect(reader.read()).toMatchObject({ isChanged: true, usable: [0, 1, 2] });
  });
});
