import { describe, expect, it } from "@jest/globals";
import { ContractVersionError, planSchema, presetSettings } from "@kvm-governor/policy";
import type { Plan, Sample } from "@kvm-governor/policy";
import { PlanConflictError, createLogger } from "@kvm-governor/service-kit";
import type { PlanEntry } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { DuplicateHostError } from "./identity.ts";
import { createMetrics } from "./metrics.ts";
import { MemoryStore } from "./store/memory-store.ts";
import { CorruptStateError, LaterStateError, StoreUnavailableError } from "./store/store.ts";
import type { Store } from "./store/store.ts";
import { BOOT, OTHER_BOOT, guestSample, hostOf, sampleOf, uuidOf } from "./testing/samples.ts";
import { Topologies } from "./topologies.ts";
import { PlansUnavailableError } from "./published-plans.ts";
import { Ticker } from "./ticker.ts";
import type { PlanStore } from "./published-plans.ts";
import type { TickStore } from "./ticker.ts";

const guest = uuidOf(1);
const busy = (tick: number): Sample => sampleOf("h", tick, [guestSample(1, { run: 1 })]);

/** A bucket of plans in memory, with revisions as JetStream counts them. */
class MemoryPlans implements PlanStore {
  entry: PlanEntry | undefined;
  puts = 0;
  away = false;

  async get(): Promise<PlanEntry | undefined> {
    if (this.away) throw new Error("away");
    return this.entry;
  }

  async put(_host: string, plan: string, revision: number): Promise<number> {
    if (this.away) throw new Error("away");
    if (revision !== (this.entry?.revision ?? 0)) throw new PlanConflictError("another revision");
    this.puts++;
    this.entry = { host: "h", data: new TextEncoder().encode(plan), revision: revision + 1 };
    return this.entry.revision;
  }

  get plan(): Plan | undefined {
    return this.entry === undefined
      ? undefined
      : planSchema.parse(JSON.parse(new TextDecoder().decode(this.entry.data)));
  }
}

function openTicker(store: TickStore, plans: PlanStore, topologies = new Topologies()) {
  const metrics = createMetrics(new Registry());
  const settings = presetSettings("default", { beta: 3 });
  const ticker = new Ticker({
    store,
    plans,
    metrics,
    settings: () => settings,
    topologyOf: (sample) => topologies.of(sample),
    log: createLogger("test", "silent"),
    committed: () => undefined,
  });
  return { ticker, metrics };
}

const countOf = async (store: Store): Promise<number | undefined> =>
  (await store.read("h")).state?.guests[guest]?.count;

describe("Ticker", () => {
  it("commits lists and publishes plans", async () => {
    const [store, plans] = [new MemoryStore(), new MemoryPlans()];
    const { ticker } = openTicker(store, plans);
    for (let tick = 1; tick <= 4; tick++) expect(await ticker.tick(busy(tick))).toBe("decided");
    expect(await store.lists("h")).toEqual({ service: [], scientific: [guest] });
    expect(plans.plan).toMatchObject({ generation: 2, sequence: busy(4).sequence });
  });

  it("does nothing for a sample that comes again, late, or out of order", async () => {
    const [store, plans] = [new MemoryStore(), new MemoryPlans()];
    const { ticker } = openTicker(store, plans);
    await ticker.tick(busy(1));
    await ticker.tick(busy(3));
    const before = await store.read("h");
    for (const tick of [3, 2, 1]) expect(await ticker.tick(busy(tick))).toBe("repeated");
    expect(await store.read("h")).toEqual(before);
    expect(plans.puts).toBe(2);
  });

  it("publishes the plan of a committed tick that a killed classifier could not", async () => {
    const [store, plans] = [new MemoryStore(), new MemoryPlans()];
    const killed = openTicker(store, plans).ticker;
    await killed.tick(busy(1));
    plans.away = true;
    await expect(killed.tick(busy(2))).rejects.toThrow(PlansUnavailableError);
    expect(await countOf(store)).toBe(2);
    plans.away = false;
    expect(await openTicker(store, plans).ticker.tick(busy(2))).toBe("repeated");
    expect(plans.plan?.sequence).toBe(busy(2).sequence);
    expect(await countOf(store)).toBe(2);
  });

  it("counts a sample once when two race for it, and once each for different ones", async () => {
    const [store, plans] = [new MemoryStore(), new MemoryPlans()];
    const [one, two] = [openTicker(store, plans), openTicker(store, plans)];
    await one.ticker.tick(busy(1));
    await two.ticker.tick(busy(1));
    const outcomes = await Promise.all([one.ticker.tick(busy(2)), two.ticker.tick(busy(2))]);
    expect(outcomes.toSorted()).toEqual(["decided", "repeated"]);
    expect(await countOf(store)).toBe(2);
    await one.ticker.tick(busy(3));
    await two.ticker.tick(busy(4));
    expect(await countOf(store)).toBe(0);
    expect(await store.lists("h")).toEqual({ service: [], scientific: [guest] });
  });

  it("goes on from the plan where the store lost everything", async () => {
    const plans = new MemoryPlans();
    const { ticker } = openTicker(new MemoryStore(), plans);
    for (let tick = 1; tick <= 3; tick++) await ticker.tick(busy(tick));
    const emptied = new MemoryStore();
    await openTicker(emptied, plans).ticker.tick(busy(4));
    expect(await emptied.lists("h")).toEqual({ service: [], scientific: [guest] });
    expect(plans.plan?.generation).toBe(2);
  });

  it("rebuilds what is corrupt in the store from the plan, and counts it", async () => {
    const [store, plans] = [new MemoryStore(), new MemoryPlans()];
    await openTicker(store, plans).ticker.tick(busy(1));
    const corrupt: TickStore = {
      read: async (host) => ({
        ...(await store.read(host)),
        state: undefined,
        problem: new CorruptStateError(host, "x"),
      }),
      commit: (...args) => store.commit(...args),
    };
    const { ticker, metrics } = openTicker(corrupt, plans);
    await ticker.tick(busy(2));
    expect(await countOf(store)).toBe(2);
    expect((await metrics.corrupt.get()).values).toMatchObject([{ labels: { source: "store" }, value: 1 }]);
  });

  it("reads again after a commit that failed: what is remembered may be what made it fail", async () => {
    const [store, plans] = [new MemoryStore(), new MemoryPlans()];
    let broken = false;
    const breaking: TickStore = {
      read: async (host) => {
        broken = false;
        return store.read(host);
      },
      commit: async (...args) => {
        if (broken) throw new StoreUnavailableError("WRONGTYPE");
        return store.commit(...args);
      },
    };
    const { ticker } = openTicker(breaking, plans);
    await ticker.tick(busy(1));
    broken = true;
    await expect(ticker.tick(busy(2))).rejects.toThrow(StoreUnavailableError);
    expect(await ticker.tick(busy(2))).toBe("decided");
  });

  it("overwrites a published plan that cannot be read", async () => {
    const plans = new MemoryPlans();
    plans.entry = { host: "h", data: new TextEncoder().encode("{"), revision: 7 };
    const { ticker, metrics } = openTicker(new MemoryStore(), plans);
    await ticker.tick(busy(1));
    expect(plans.plan?.generation).toBe(1);
    expect((await metrics.corrupt.get()).values).toMatchObject([{ labels: { source: "plan" }, value: 1 }]);
  });

  it("leaves what a later version stored of a host, and the host's plan, as they are", async () => {
    const [store, plans] = [new MemoryStore(), new MemoryPlans()];
    await openTicker(store, plans).ticker.tick(busy(1));
    const [stored, { puts }] = [await store.read("h"), plans];
    const problem = new LaterStateError("h", "is version 2 of the contracts");
    const later: TickStore = {
      read: async () => ({ ...stored, state: undefined, problem }),
      commit: (...args) => store.commit(...args),
    };
    const { ticker, metrics } = openTicker(later, plans);
    for (const tick of [2, 3]) await expect(ticker.tick(busy(tick))).rejects.toThrow(LaterStateError);
    expect([await store.read("h"), plans.puts]).toEqual([stored, puts]);
    expect((await metrics.corrupt.get()).values).toEqual([]);
  });

  it("leaves a plan that a later version published as it is, and stores nothing of its host", async () => {
    const [store, plans] = [new MemoryStore(), new MemoryPlans()];
    const later = { host: "h", data: new TextEncoder().encode('{"schema":2}'), revision: 7 };
    plans.entry = later;
    const { ticker } = openTicker(store, plans);
    for (const tick of [1, 2]) await expect(ticker.tick(busy(tick))).rejects.toThrow(ContractVersionError);
    expect([plans.entry, await store.hosts()]).toEqual([later, []]);
  });

  it("does so also with one that appears there while it decides", async () => {
    const [store, plans] = [new MemoryStore(), new MemoryPlans()];
    const { ticker } = openTicker(store, plans);
    await ticker.tick(busy(1));
    const later = { host: "h", data: new TextEncoder().encode('{"schema":2}'), revision: 7 };
    plans.entry = later;
    await expect(ticker.tick(busy(2))).rejects.toThrow(ContractVersionError);
    expect(plans.entry).toBe(later);
  });

  it("leaves a newer plan in place, and goes on from it", async () => {
    const [store, plans] = [new MemoryStore(), new MemoryPlans()];
    const { ticker } = openTicker(store, plans);
    await ticker.tick(busy(1));
    const newer = { ...plans.plan, generation: 9, sequence: busy(5).sequence };
    await plans.put("h", JSON.stringify(newer), 1);
    await ticker.tick(busy(2));
    expect(plans.plan).toEqual(newer);
    await ticker.tick(busy(6));
    expect(plans.plan).toMatchObject({ sequence: busy(6).sequence });
    expect(plans.plan?.generation).toBeGreaterThanOrEqual(9);
  });

  it("decides again from a plan that it met, where the store had lost what came before it", async () => {
    const [store, plans] = [new MemoryStore(), new MemoryPlans()];
    const failedOver = new MemoryStore();
    const { ticker } = openTicker(store, plans);
    await openTicker(failedOver, new MemoryPlans()).ticker.tick(busy(1));
    for (const tick of [1, 2, 3]) await ticker.tick(busy(tick));
    // Read from a server that is behind, the plan of the first tick; then as it is.
    const first = new MemoryPlans();
    await openTicker(new MemoryStore(), first).ticker.tick(busy(1));
    let isBehind = true;
    const behind: PlanStore = {
      get: async (host) => {
        const entry = isBehind ? first.entry : await plans.get();
        isBehind = false;
        expect(host).toBe("h");
        return entry;
      },
      put: (...args) => plans.put(...args),
    };
    expect(await openTicker(failedOver, behind).ticker.tick(busy(4))).toBe("decided");
    expect(await failedOver.lists("h")).toEqual({ service: [], scientific: [guest] });
    expect(plans.plan).toMatchObject({ generation: 2, sequence: busy(4).sequence });
  });

  it("goes on above the generation that an actuator reported", async () => {
    const plans = new MemoryPlans();
    const { ticker } = openTicker(new MemoryStore(), plans);
    ticker.seenApplied({
      schema: 1,
      host: "h",
      bootId: BOOT,
      generation: 30,
      sequence: 1,
      readBackAtUs: 2,
      verified: 1,
      writes: [],
      drift: [],
      skipped: [],
    });
    await ticker.tick(busy(1));
    expect(plans.plan?.generation).toBe(31);
  });

  it("places by what the host announced, and leaves plans alone when it comes late", async () => {
    const plans = new MemoryPlans();
    const topologies = new Topologies();
    const { ticker } = openTicker(new MemoryStore(), plans, topologies);
    const nodes = [0, 0, 0, 0, 1, 1, 1, 1];
    const computing = (n: number) =>
      guestSample(n, { run: 1, vcpus: 3, declared: { class: "scientific", source: "rule 1" } });
    const tick = (at: number, ...ns: number[]) =>
      ticker.tick(sampleOf("h", at, ns.map(computing), { cpus: [...nodes.keys()] }));
    const cpusOf = () => plans.plan?.guests.map(({ vcpus }) => vcpus.map(({ cpus }) => cpus).flat());
    await tick(1, 1);
    expect(cpusOf()).toEqual([[5, 6, 7]]);
    topologies.announced(hostOf("h", nodes));
    await tick(2, 1);
    expect([cpusOf(), plans.plan?.generation]).toEqual([[[5, 6, 7]], 1]);
    // Flat, it would have got CPUs 2 to 4 of two nodes.
    await tick(3, 1, 2);
    expect(cpusOf()).toEqual([
      [5, 6, 7],
      [1, 2, 3],
    ]);
  });

  describe("between two boots of a host", () => {
    const HEARD_MS = 1_900_000_000_000;
    const HOUR_MS = 3_600_000;
    const booted = (tick: number, wallTimeMs: number, uptimeMs: number): Sample => ({
      ...busy(tick),
      bootId: OTHER_BOOT,
      wallTimeMs,
      sequence: uptimeMs * 1000,
    });

    it("goes on at once where the host's wall clock was set back by an hour, or forward", async () => {
      for (const skewMs of [-HOUR_MS, HOUR_MS]) {
        const [store, plans] = [new MemoryStore(), new MemoryPlans()];
        const { ticker } = openTicker(store, plans);
        for (const tick of [1, 2]) await ticker.tick(busy(tick), HEARD_MS + tick * 1000);
        const { wallTimeMs } = busy(2);
        const first = booted(3, wallTimeMs + 30_000 + skewMs, 20_000);
        expect(await ticker.tick(first, HEARD_MS + 32_000)).toBe("decided");
        expect(await countOf(store)).toBe(3);
        expect(plans.plan).toMatchObject({ bootId: OTHER_BOOT, sequence: 20_000_000 });
      }
    });

    it("counts by the host's own monotonic clock, whatever its wall clock says", async () => {
      const [store, plans] = [new MemoryStore(), new MemoryPlans()];
      const { ticker } = openTicker(store, plans);
      const wallTimes = [0, HOUR_MS, -HOUR_MS, 0, 5 * HOUR_MS];
      for (const [at, skewMs] of wallTimes.entries()) {
        const sample = busy(at + 1);
        sample.wallTimeMs += skewMs;
        expect(await ticker.tick(sample, HEARD_MS + at * 1000)).toBe("decided");
      }
      // Beta is 3: the fourth moved it, the fifth does not count in its new list.
      expect(await store.lists("h")).toEqual({ service: [], scientific: [guest] });
      const { sequence, expiresAtUs } = plans.plan ?? { sequence: 0, expiresAtUs: 0 };
      expect(expiresAtUs - sequence).toBe(10_000_000);
    });

    it("does not go back to a sample from before the boot that comes late", async () => {
      const [store, plans] = [new MemoryStore(), new MemoryPlans()];
      const { ticker } = openTicker(store, plans);
      await ticker.tick(busy(1), HEARD_MS);
      await ticker.tick(booted(2, busy(1).wallTimeMs + 30_000, 20_000), HEARD_MS + 30_000);
      const late = { ...busy(2), wallTimeMs: busy(2).wallTimeMs + HOUR_MS };
      expect(await ticker.tick(late, HEARD_MS + 1000)).toBe("repeated");
      expect(plans.plan?.bootId).toBe(OTHER_BOOT);
    });

    it("refuses another machine with the host's id, for as long as the host is heard", async () => {
      const [store, plans] = [new MemoryStore(), new MemoryPlans()];
      const { ticker } = openTicker(store, plans);
      await ticker.tick(busy(1), HEARD_MS);
      const other = (tick: number): Sample => booted(tick, busy(tick).wallTimeMs, HOUR_MS + tick * 1000);
      await expect(ticker.tick(other(2), HEARD_MS + 1000)).rejects.toThrow(DuplicateHostError);
      expect(await ticker.tick(busy(3), HEARD_MS + 2000)).toBe("decided");
      // Another classifier, which knows no more than the store, says the same.
      const heir = openTicker(store, plans).ticker;
      await expect(heir.tick(other(4), HEARD_MS + 3000)).rejects.toThrow(/used by two machines/);
      expect(await countOf(store)).toBe(2);
      expect(await heir.tick(other(70), HEARD_MS + 63_000)).toBe("decided");
    });
  });
});
