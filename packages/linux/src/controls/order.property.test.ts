import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { bandwidthOf, bandwidthWrites, orderBandwidth, ratioOf } from "./bandwidth.ts";
import type { BandwidthChange, BandwidthState } from "./bandwidth.ts";
import { cpusetWrites, type CpusetChange } from "./cpuset.ts";
import { KernelModel } from "./testing/kernel-model.ts";
import type { Write } from "./write.ts";

/** Far from what real numbers can differ by through rounding in the kernel. */
const EPSILON = 1e-9;

const periodUs = fc.integer({ min: 1000, max: 1_000_000 });
const bandwidth = fc
  .record({
    periodUs,
    quotaUs: fc.option(fc.integer({ min: 1000, max: 2_000_000 }), { nil: undefined }),
    burst: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ periodUs: period, quotaUs, burst }): BandwidthState => {
    return { periodUs: period, quotaUs, burstUs: Math.floor(burst * (quotaUs ?? 100_000)) };
  });

function run(model: KernelModel, writes: readonly Write[], check: () => void): void {
  model.afterWrite = check;
  for (const write of writes) model.write(write);
}

describe.each([1, 2] as const)("order of bandwidth writes, v%i", (version) => {
  it("is never refused, never tighter than before and after, and arrives", () => {
    fc.assert(
      fc.property(
        bandwidth,
        bandwidth,
        fc.boolean(),
        fc.boolean(),
        (from, to, hasParentLimit, hasBurstBug) => {
          const model = new KernelModel(version, { hasBurstBug });
          const tightest = Math.min(ratioOf(from), ratioOf(to));
          const loosest = Math.max(ratioOf(from), ratioOf(to));
          // A limit of the whole guest that the looser end just meets.
          const parent = hasParentLimit && loosest !== Infinity && loosest <= 1;
          const parentState: BandwidthState = {
            quotaUs: parent ? Math.ceil(loosest * 1_000_000) : undefined,
            periodUs: 1_000_000,
            burstUs: 0,
          };
          const top = model.addGroup("/g", { bandwidth: parentState });
          const group = model.addGroup("/g/vcpu0", { bandwidth: from });
          const parentRatio = ratioOf(top.bandwidth);
          const change: BandwidthChange = {
            version,
            target: "vcpu 0",
            dir: "/g/vcpu0",
            from,
            to,
            parentRatio,
          };
          run(model, bandwidthWrites(change), () => {
            expect(ratioOf(group.bandwidth)).toBeGreaterThanOrEqual(tightest - EPSILON);
          });
          expect(group.bandwidth).toEqual(to);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("raises parents first and lowers children first", () => {
    const limited = fc.integer({ min: 1000, max: 100_000 });
    const pair = fc.tuple(limited, limited).map(([a, b]) => [Math.max(a, b), Math.min(a, b)] as const);
    fc.assert(
      fc.property(pair, pair, (before, after) => {
        const model = new KernelModel(version);
        const state = (quotaUs: number): BandwidthState => ({ quotaUs, periodUs: 100_000, burstUs: 0 });
        const dirs = ["/g", "/g/vcpu0"];
        const changes = dirs.map((dir, at): BandwidthChange => {
          model.addGroup(dir, { bandwidth: state(before[at] ?? 0) });
          const [from, to] = [state(before[at] ?? 0), state(after[at] ?? 0)];
          return { version, target: dir, dir, from, to, parentRatio: Infinity };
        });
        run(model, orderBandwidth(changes.toReversed()).flatMap(bandwidthWrites), () => undefined);
        expect(dirs.map((dir) => model.groups.get(dir)?.bandwidth.quotaUs)).toEqual([...after]);
      }),
    );
  });

  it("reads what it writes", () => {
    fc.assert(
      fc.property(bandwidth, (state) => {
        const model = new KernelModel(version);
        model.addGroup("/g", { bandwidth: state });
        const names = [
          "cpu.cfs_quota_us",
          "cpu.cfs_period_us",
          "cpu.cfs_burst_us",
          "cpu.max",
          "cpu.max.burst",
        ];
        const values = new Map(names.map((name) => [`/g/${name}`, model.read(`/g/${name}`)?.trim() ?? ""]));
        expect(bandwidthOf(version, "/g", values)).toEqual(state);
      }),
    );
  });
});

describe.each([1, 2] as const)("order of cpuset writes, v%i", (version) => {
  const CPUS = [0, 1, 2, 3, 4, 5];
  const set = fc.subarray(CPUS, { minLength: 1 });
  /** A parent and two children inside it. */
  const tree = set.chain((parent) =>
    fc.tuple(
      fc.constant(parent),
      fc.subarray(parent, { minLength: 1 }),
      fc.subarray(parent, { minLength: 1 }),
    ),
  );

  it("is never refused, never leaves a group empty, and arrives", () => {
    fc.assert(
      fc.property(tree, tree, (from, to) => {
        const model = new KernelModel(version);
        const dirs = ["/g", "/g/vcpu0", "/g/vcpu1"];
        const changes = dirs.map((dir, at): CpusetChange => {
          model.addGroup(dir, { cpus: from[at] ?? [], tids: at === 0 ? [] : [100 + at] });
          return { version, target: dir, dir, from: from[at] ?? [], to: to[at] ?? [], tids: [] };
        });
        run(model, cpusetWrites(changes), () => {
          for (const dir of dirs) expect(model.groups.get(dir)?.cpus).not.toEqual([]);
        });
        expect(dirs.map((dir) => model.groups.get(dir)?.cpus)).toEqual(to);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a group of v2 that was empty", () => {
  it("is made empty again while it has threads", () => {
    const model = new KernelModel(2);
    model.addGroup("/g");
    const group = model.addGroup("/g/vcpu0", { cpus: [1], tids: [7, 8] });
    for (const tid of [7, 8]) model.affinity.set(tid, [1]);
    const change = {
      version: 2,
      target: "vcpu 0",
      dir: "/g/vcpu0",
      from: [1],
      to: [],
      tids: [7, 8],
    } as const;
    expect(() =>
      model.write({ op: "file", target: "", setting: "cpus", key: "/g/vcpu0/cpuset.cpus", text: "" }),
    ).toThrow("ENOSPC");
    for (const write of cpusetWrites([change])) model.write(write);
    expect(group).toMatchObject({ cpus: [], tids: [7, 8] });
  });
});
