import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "@jest/globals";
import {
  appliedSchema,
  checkContract,
  decide,
  hostSchema,
  presetSettings,
  sampleSchema,
} from "@kvm-governor/policy";
import type { HostState, Plan } from "@kvm-governor/policy";
import { seededRandom } from "../demo/random.ts";
import { shareCpus } from "./cpu-share.ts";
import { demandAt, demandOfVcpus, syntheticSeries } from "./demand.ts";
import type { Series } from "./demand.ts";
import { Latencies } from "./latencies.ts";
import { makeHosts } from "./make-hosts.ts";
import { readPlanHead } from "./plan-head.ts";
import type { SimHost } from "./sim-host.ts";
import { TraceError, parseRow, readTraces } from "./traces.ts";

const all = { limit: 1, isIdle: false, cpus: "all" as const };

describe("shareCpus", () => {
  it("gives what is wanted where there is enough, and the same part to all where there is not", () => {
    const wanted = [1, 0.5, 0.5].map((each) => ({ ...all, wanted: each }));
    expect(shareCpus(wanted, 2)).toEqual([1, 0.5, 0.5]);
    expect(shareCpus(wanted, 1)).toEqual([0.5, 0.25, 0.25]);
  });

  it("serves idle ones last, and nobody above the limit", () => {
    const demands = [
      { ...all, wanted: 1, isIdle: true },
      { ...all, wanted: 1 },
      { ...all, wanted: 1, limit: 0.25 },
    ];
    expect(shareCpus(demands, 2)).toEqual([0.75, 1, 0.25]);
    expect(shareCpus(demands, 1)).toEqual([0, 0.8, 0.2]);
  });

  it("keeps those with CPUs of their own and the others apart", () => {
    const own = { ...all, wanted: 1, cpus: [0] };
    const shared = { ...all, wanted: 1, cpus: [1, 2] };
    expect(shareCpus([own, shared, shared, shared], 3)).toEqual([
      1,
      ...[1, 1, 1].map((each) => (each * 2) / 3),
    ]);
    expect(shareCpus([own, { ...all, wanted: 1 }, { ...all, wanted: 1 }], 2)).toEqual([1, 0.5, 0.5]);
  });
});

describe("demand", () => {
  it("of a computing job fills vCPU after vCPU, of a service all alike", () => {
    expect(demandOfVcpus(0.375, 4, "full-vcpus")).toEqual([1, 0.5, 0, 0]);
    expect(demandOfVcpus(0.375, 4, "even")).toEqual([0.375, 0.375, 0.375, 0.375]);
  });

  it("goes by in intervals, and begins again at the end", () => {
    const series: Series = { name: "s", intervalMs: 10, values: Float32Array.of(0, 0.5), shape: "even" };
    expect([0, 9, 10, 19, 20].map((ms) => demandAt(series, ms))).toEqual([0, 0, 0.5, 0.5, 0]);
  });

  it("is the same for the same seed", () => {
    const [one, two, other] = [1, 1, 2].map((seed) => syntheticSeries(seededRandom(seed)));
    expect(one).toEqual(two);
    expect(one).not.toEqual(other);
    expect(one?.every(({ values }) => values.every((value) => value >= 0 && value <= 1))).toBe(true);
  });
});

describe("traces", () => {
  it("are read from gzipped files of one series a row; short series are left out", () => {
    const dir = mkdtempSync(path.join(tmpdir(), "kvmgov-traces-"));
    try {
      expect(() => readTraces(dir)).toThrow(/has none of surf/);
      const rows = [
        "vm,stat,cpu",
        `1,avg,${Array.from({ length: 20 }, (_, at) => at * 5).join(";")}`,
        "2,avg,1;2",
      ];
      writeFileSync(path.join(dir, "azure-v1-100vms-5min.csv.gz"), gzipSync(rows.join("\n")));
      const [series, ...more] = readTraces(dir);
      expect(more).toEqual([]);
      expect(series).toMatchObject({ intervalMs: 300_000, shape: "even" });
      expect([...(series?.values ?? [])].slice(0, 3).map((value) => value.toFixed(2))).toEqual([
        "0.00",
        "0.05",
        "0.10",
      ]);
      writeFileSync(path.join(dir, "surf-lisa-hpc-jobs-30s.csv.gz"), "no gzip");
      expect(() => readTraces(dir)).toThrow(TraceError);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it("name the value that is none", () => {
    expect(() => parseRow("1,2,10;x;3", "file, row 7")).toThrow(
      "traces: file, row 7: value 2 is no percentage",
    );
  });
});

describe("a simulated host", () => {
  const options = { hosts: 1, guests: 20, vcpus: 2, cpus: 8, seed: 3, speed: 1 };
  const open = (): SimHost => {
    const [host] = makeHosts({ ...options, series: syntheticSeries(seededRandom(3)) });
    if (host === undefined) throw new Error("no host");
    return host;
  };
  const settings = presetSettings("paper", { beta: 2 });

  /** Ticks of one second; the plan of each is obeyed before the next. */
  function govern(host: SimHost, ticks: number): { plan: Plan; state: HostState | undefined } {
    let state: HostState | undefined;
    for (let tick = 1; ; tick++) {
      const sample = host.sample(tick * 1000, tick * 1e6, tick * 1000, 1000);
      const decision = decide(state, sample, settings);
      if (decision.kind !== "decided") throw new Error("not decided");
      state = decision.next;
      host.obey(decision.plan, tick * 1e6, () => decision.plan);
      if (tick === ticks) return { plan: decision.plan, state };
    }
  }

  it("speaks the contracts", () => {
    const host = open();
    checkContract(sampleSchema, host.sample(0, 1e6, 1000, 1000), "sample");
    checkContract(hostSchema, host.announcement(1000), "host");
    govern(host, 3);
    checkContract(appliedSchema, host.applied(4e6), "applied");
    expect(host.applied(4e6)).toMatchObject({ sequence: 3e6, readBackAtUs: 4e6 });
  });

  it("is the same for the same seed, and its guests never run more than there is", () => {
    const [one, two] = [open(), open()].map((host) => host.sample(5000, 5e6, 5000, 1000));
    expect(one).toEqual(two);
    const run = one?.guests.flatMap(({ vcpus }) => vcpus.map((vcpu) => vcpu.run)) ?? [];
    expect(run.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(options.cpus + 1e-3);
  });

  it("holds its guests as the plan says, and not at all when the plan is not renewed", () => {
    const host = open();
    const { plan } = govern(host, 10);
    const held = plan.guests.filter(({ vcpus }) =>
      vcpus.some(({ bandwidth }) => typeof bandwidth === "number"),
    );
    expect(held.length).toBeGreaterThan(0);
    const sample = host.sample(11_000, 11e6, 11_000, 1000);
    for (const { uuid, vcpus } of held) {
      for (const [at, { bandwidth }] of vcpus.entries()) {
        const run = sample.guests.find((guest) => guest.uuid === uuid)?.vcpus[at]?.run ?? NaN;
        expect(run).toBeLessThanOrEqual((typeof bandwidth === "number" ? bandwidth : 1) + 1e-6);
      }
    }
    expect(host.expire(plan.expiresAtUs - 1)).toBe(false);
    expect(host.expire(plan.expiresAtUs)).toBe(true);
    expect(host.generation).toBeUndefined();
  });

  it("refuses what is older or expired, and renews without reading the guests", () => {
    const host = open();
    const head = { generation: 2, sequence: 5, expiresAtUs: 100, bootId: host.bootId };
    const read = (): Plan => ({ ...govern(open(), 1).plan });
    const unread = (): Plan => {
      throw new Error("a renewal needs no guests");
    };
    expect(host.obey(head, 10, read)).toBe("followed");
    expect(host.obey({ ...head, sequence: 6, expiresAtUs: 200 }, 10, unread)).toBe("renewed");
    expect(host.expire(150)).toBe(false);
    expect(host.obey({ ...head, generation: 1, sequence: 7 }, 10, unread)).toBe("older");
    expect(host.obey({ ...head, sequence: 5 }, 10, unread)).toBe("older");
    expect(host.obey({ ...head, sequence: 8 }, 100, unread)).toBe("expired");
    expect(host.obey({ ...head, sequence: 8, bootId: "other" }, 10, unread)).toBe("other-boot");
  });
});

describe("the head of a plan", () => {
  const head = { generation: 7, sequence: 8, expiresAtUs: 9, bootId: "b" };
  it("is read without the guests, and refused where it is no plan", () => {
    const plan = { schema: 1, host: "h", ...head, preset: "p", guests: "not read" };
    for (const published of [plan, { ...plan, traceparent: "of a trace" }])
      expect(readPlanHead(new TextEncoder().encode(JSON.stringify(published)))).toEqual(head);
    expect(() => readPlanHead(new TextEncoder().encode('{"generation":7}'))).toThrow(/plan/);
  });
});

describe("latencies", () => {
  it("gives quantiles within a part in a hundred, and the largest as it was", () => {
    const latencies = new Latencies();
    expect(latencies.quantile(0.5)).toBeUndefined();
    for (let ms = 1; ms <= 1000; ms++) latencies.add(ms);
    expect((latencies.quantile(0.5) ?? 0) / 500).toBeCloseTo(1, 1);
    expect((latencies.quantile(0.99) ?? 0) / 990).toBeCloseTo(1, 1);
    expect(latencies.quantile(1)).toBe(1000);
    latencies.add(1e9);
    expect(latencies.mostMs).toBe(1e9);
  });
});
