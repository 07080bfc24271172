import { describe, expect, it } from "@jest/globals";
import { createLogger } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { BusClock, Forgetting } from "./forgetting.ts";
import { createMetrics } from "./metrics.ts";
import { MemoryGuestPlaces } from "./store/memory-guest-places.ts";
import { MemoryStore } from "./store/memory-store.ts";
import { LaterStateError, StoreUnavailableError } from "./store/store.ts";
import { uuidOf } from "./testing/samples.ts";
import { guestState, hostState } from "./testing/states.ts";

const NOW_MS = 1_900_000_000_000;
const DAY_MS = 86_400_000;

async function openFleet(busNowMs: number | undefined = NOW_MS) {
  const [store, places] = [new MemoryStore(), new MemoryGuestPlaces()];
  const metrics = createMetrics(new Registry());
  const gone: string[] = [];
  const heardAt = { old: NOW_MS - 8 * DAY_MS, late: NOW_MS - 6 * DAY_MS, new: NOW_MS, unknown: undefined };
  for (const [host, heardAtMs] of Object.entries(heardAt)) {
    const state = hostState(1, { [uuidOf(1)]: guestState({ count: 2 }) });
    await store.commit(host, await store.read(host), state, { heardAtMs });
  }
  const options = {
    store,
    places,
    forgetHostMs: 7 * DAY_MS,
    busNowMs: () => busNowMs,
    metrics,
    log: createLogger("test", "silent"),
    forgotten: (host: string) => void gone.push(host),
  };
  return { options, store, places, metrics, gone };
}

describe("Forgetting", () => {
  it("removes the hosts of which nothing was heard for long, once", async () => {
    const { options, store, metrics, gone } = await openFleet();
    for (let i = 0; i < 2; i++) await new Forgetting(options).look();
    expect(gone).toEqual(["old"]);
    expect(await store.hosts()).toEqual(["late", "new", "unknown"]);
    expect((await metrics.forgotten.get()).values).toMatchObject([{ value: 1 }]);
  });

  it("leaves a host alone of which a later version keeps the lists", async () => {
    const { options, store, gone } = await openFleet();
    const problem = new LaterStateError("old", "is version 2 of the contracts");
    const read: typeof store.read = async (host) => ({ ...(await store.read(host)), problem });
    const later = {
      hosts: () => store.hosts(),
      heardAt: (hosts: readonly string[]) => store.heardAt(hosts),
      forget: (...args: Parameters<typeof store.forget>) => store.forget(...args),
      read,
    };
    await new Forgetting({ ...options, store: later }).look();
    expect([gone, await store.hosts()]).toEqual([[], ["late", "new", "old", "unknown"]]);
  });

  it("lets the guests of a host that is forgotten go elsewhere", async () => {
    const { options, places } = await openFleet();
    await places.arrive(uuidOf(1), "old");
    await new Forgetting(options).look();
    expect(await places.arrive(uuidOf(1), "elsewhere")).toMatchObject({ from: "old", carried: { count: 2 } });
  });

  it("forgets nobody while nothing comes from the bus at all", async () => {
    const { options, gone } = await openFleet();
    await new Forgetting({ ...options, busNowMs: () => undefined }).look();
    expect(gone).toEqual([]);
  });

  it("leaves a host that is heard while it is being removed", async () => {
    const { options, store, gone } = await openFleet();
    const read: typeof store.read = async (host) => {
      const base = await store.read(host);
      if (host === "old" && base.state !== undefined)
        await store.commit(host, base, { ...base.state, sequence: 2 }, { heardAtMs: NOW_MS });
      return base;
    };
    const racing = {
      hosts: () => store.hosts(),
      heardAt: store.heardAt.bind(store),
      forget: store.forget.bind(store),
    };
    await new Forgetting({ ...options, store: { ...racing, read } }).look();
    expect(gone).toEqual([]);
    expect(await store.hosts()).toContain("old");
  });

  it("waits while Redis is away", async () => {
    const { options, store, gone } = await openFleet();
    const hosts = (): Promise<string[]> => Promise.reject(new StoreUnavailableError("away"));
    const away = {
      hosts,
      heardAt: store.heardAt.bind(store),
      read: store.read.bind(store),
      forget: store.forget.bind(store),
    };
    await new Forgetting({ ...options, store: away }).look();
    expect(gone).toEqual([]);
  });
});

describe("BusClock", () => {
  it("goes on by itself for a while after the last message, and is set back after a while", () => {
    const clock = new BusClock();
    expect(clock.now(0)).toBeUndefined();
    clock.heard(NOW_MS, 1000);
    expect(clock.now(31_000)).toBe(NOW_MS + 30_000);
    // Messages of other hosts may be older.
    clock.heard(NOW_MS - 500, 32_000);
    expect(clock.now(32_000)).toBe(NOW_MS + 31_000);
    expect(clock.now(61_000)).toBeUndefined();
    clock.heard(NOW_MS - DAY_MS, 61_000);
    expect(clock.now(61_000)).toBe(NOW_MS - DAY_MS);
  });
});
