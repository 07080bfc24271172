import { expect, test } from "@jest/globals";
import { cpuCount, PAPER, topologyArgs, TWO_CPUS, TWO_SOCKETS_SMT } from "./topology.ts";

test("one node: CPUs and memory alone", () => {
  expect(topologyArgs(TWO_CPUS, 2048)).toEqual([
    "-m",
    "2048",
    "-smp",
    "2,sockets=1,dies=1,cores=2,threads=1",
  ]);
});

test("two nodes share CPUs and memory evenly, by socket", () => {
  const args = topologyArgs(TWO_SOCKETS_SMT, 3072);
  expect(cpuCount(TWO_SOCKETS_SMT)).toBe(16);
  expect(args).toContain("16,sockets=2,dies=1,cores=4,threads=2");
  expect(args).toContain("node,nodeid=0,cpus=0-7,memdev=node0");
  expect(args).toContain("node,nodeid=1,cpus=8-15,memdev=node1");
  expect(args.filter((arg) => arg.includes("size=1536M"))).toHaveLength(2);
});

test("what cannot be divided is refused by name", () => {
  expect(() => topologyArgs({ ...PAPER, nodes: 3 }, 3072)).toThrow("16 CPUs and 3072 MiB");
  expect(() => topologyArgs({ ...PAPER, cores: 0 }, 2048)).toThrow("whole parts");
});
