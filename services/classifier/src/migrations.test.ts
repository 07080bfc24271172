/** Two hosts, one store: a guest that migrates, with every step in between that may be the last one. */
import { describe, expect, it } from "@jest/globals";
import { presetSettings } from "@kvm-governor/policy";
import type { GuestSample, Sample } from "@kvm-governor/policy";
import { createLogger, PlanConflictError } from "@kvm-governor/service-kit";
import type { PlanEntry } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { createMetrics } from "./metrics.ts";
import { CARRIED_FOR_MS, Migrations } from "./migrations.ts";
import { MemoryGuestPlaces } from "./store/memory-guest-places.ts";
import { MemoryStore } from "./store/memory-store.ts";
import { StoreUnavailableError } from "./store/store.ts";
import { OTHER_BOOT, guestSample, sampleOf, uuidOf } from "./testing/samples.ts";
import { Ticker } from "./ticker.ts";
import type { PlanStore } from "./published-plans.ts";

const HEARD_MS = 1_900_000_000_000;
const BETA = 5;
const mover = uuidOf(1);
const busy = (): GuestSample => guestSample(1, { run: 1 });

const migrating = (): GuestSample => ({ ...busy(), state: "migrating" });

class Plans implements PlanStore {
  readonly #entries = new Map<string, PlanEntry>();

  async get(host: string): Promise<PlanEntry | undefined> {
    return this.#entries.get(host);
  }

  async put(host: string, plan: string, revision: number): Promise<number> {
    if (revision !== (this.#entries.get(host)?.revision ?? 0)) throw new PlanConflictError("revision");
    this.#entries.set(host, { host, data: new TextEncoder().encode(plan), revision: revision + 1 });
    return revision + 1;
  }
}

/** Classifiers over one store. Hosts tick once a second of the bus's clock; host b is another boot, a day older. */
class Fleet {
  store = new MemoryStore();
  readonly places = new MemoryGuestPlaces();
  readonly metrics = createMetrics(new Registry());
  readonly #plans = new Plans();
  /** The commit of this host fails once. */
  failing = "";
  ticker = this.open();
  seconds = 0;

  /** A classifier that remembers nothing. */
  open(migrates = true): Ticker {
    const log = createLogger("test", "silent");
    const settings = presetSettings("default", { beta: BETA });
    const { places, metrics } = this;
    return new Ticker({
      store: {
        read: (host) => this.store.read(host),
        commit: (host, ...rest) => {
          if (this.failing !== host) return this.store.commit(host, ...rest);
          this.failing = "";
          throw new StoreUnavailableError("the last step of this classifier");
        },
      },
      plans: this.#plans,
      settings: () => settings,
      topologyOf: () => undefined,
      metrics,
      log,
      committed: () => undefined,
      ...(migrates && {
        migrations: new Migrations({
          places,
          store: { read: (host) => this.store.read(host) },
          metrics,
          log,
        }),
      }),
    });
  }

  async tick(host: "a" | "b" | "c", guests: readonly GuestSample[], unreadable: Sample["unreadable"] = []) {
    this.seconds++;
    const clock = host === "a" ? {} : { bootId: OTHER_BOOT, sequence: (86_400 + this.seconds) * 1_000_000 };
    const sample = sampleOf(host, this.seconds, guests, { ...clock, unreadable });
    return this.ticker.tick(sample, HEARD_MS + this.seconds * 1000);
  }

  /** Class and count of the guest on a host; undefined: not there. */
  async of(host: string): Promise<[string, number] | undefined> {
    const guest = (await this.store.read(host)).state?.guests[mover];
    return guest && [guest.class, guest.count];
  }

  async carriedOver(): Promise<number> {
    return (await this.metrics.carriedOver.get()).values[0]?.value ?? 0;
  }
}

/** Host a has counted three crossings of the guest; host b is there. */
async function threeCounted(): Promise<Fleet> {
  const fleet = new Fleet();
  await fleet.tick("b", []);
  for (let i = 0; i < 3; i++) await fleet.tick("a", [busy()]);
  return fleet;
}

describe("a guest that migrates", () => {
  it("is counted on where it is gone from one host, then there on the other", async () => {
    const fleet = await threeCounted();
    await fleet.tick("a", []);
    expect(await fleet.of("a")).toBeUndefined();
    await fleet.tick("b", [busy()]);
    expect(await fleet.of("b")).toEqual(["service", 4]);
    expect(await fleet.carriedOver()).toBe(1);
  });

  it("is counted on where both hosts have it for some ticks", async () => {
    const fleet = await threeCounted();
    await fleet.tick("b", [migrating()]);
    expect(await fleet.of("b")).toEqual(["service", 3]);
    await fleet.tick("a", [migrating()]);
    await fleet.tick("b", [busy()]);
    await fleet.tick("a", []);
    await fleet.tick("b", [busy()]);
    expect(await fleet.of("a")).toBeUndefined();
    expect(await fleet.of("b")).toEqual(["service", 5]);
    expect(await fleet.carriedOver()).toBe(1);
  });

  it("is counted on where the new host is heard first, and nothing tells of a migration", async () => {
    const fleet = await threeCounted();
    await fleet.tick("b", [busy()]);
    expect(await fleet.of("b")).toEqual(["service", 1]);
    await fleet.tick("a", []);
    await fleet.tick("b", [busy()]);
    expect(await fleet.of("b")).toEqual(["service", 4]);
  });

  it("is taken over from a host that went silent", async () => {
    const fleet = await threeCounted();
    fleet.seconds += 11;
    await fleet.tick("b", [busy()]);
    expect(await fleet.of("b")).toEqual(["service", 4]);
  });

  it("is no migration where two guests have one UUID: each is counted by itself", async () => {
    const fleet = await threeCounted();
    for (let i = 0; i < 70; i++) {
      await fleet.tick("b", [guestSample(1, { run: 0 })]);
      await fleet.tick("a", [guestSample(1, { run: 0 })]);
    }
    await fleet.tick("b", [busy()]);
    expect(await fleet.of("b")).toEqual(["service", 1]);
    // Long after it came, it is too late for what the other host says.
    await fleet.tick("a", []);
    await fleet.tick("b", [busy()]);
    expect(await fleet.of("b")).toEqual(["service", 2]);
    expect(await fleet.carriedOver()).toBe(0);
  });

  it("moves on the new host after as many crossings as on the old one, and keeps its list when it goes back", async () => {
    const fleet = await threeCounted();
    await fleet.tick("a", []);
    for (let i = 0; i < 3; i++) await fleet.tick("b", [busy()]);
    expect(await fleet.of("b")).toEqual(["scientific", 0]);
    await fleet.tick("b", []);
    await fleet.tick("a", [busy()]);
    expect(await fleet.of("a")).toEqual(["scientific", 0]);
  });

  it("would begin anew without the carry-over", async () => {
    const fleet = await threeCounted();
    fleet.ticker = fleet.open(false);
    await fleet.tick("a", []);
    await fleet.tick("b", [busy()]);
    expect(await fleet.of("b")).toEqual(["service", 1]);
  });

  it("is not carried over from a host of which nothing was heard for long", async () => {
    const fleet = await threeCounted();
    fleet.seconds += CARRIED_FOR_MS / 1000;
    await fleet.tick("b", []);
    await fleet.tick("b", [busy()]);
    expect(await fleet.of("b")).toEqual(["service", 1]);
  });

  it("stays on its host where the migration was given up", async () => {
    const fleet = await threeCounted();
    await fleet.tick("b", [migrating()]);
    await fleet.tick("b", []);
    await fleet.tick("a", [busy()]);
    expect([await fleet.of("a"), await fleet.of("b")]).toEqual([["service", 4], undefined]);
  });

  it("begins anew where it was stopped and started on the same host", async () => {
    const fleet = await threeCounted();
    await fleet.tick("a", []);
    await fleet.tick("a", [busy()]);
    expect(await fleet.of("a")).toEqual(["service", 1]);
  });

  it("is not taken for gone where it could not be read for a tick", async () => {
    const fleet = await threeCounted();
    await fleet.tick("a", [], [{ uuid: mover, name: "guest-1", reason: "test" }]);
    await fleet.tick("a", [busy()]);
    expect(await fleet.of("a")).toEqual(["service", 4]);
  });
});

describe("what must not spoil it", () => {
  it("a sample from before its departure that comes late", async () => {
    const fleet = await threeCounted();
    const late = sampleOf("a", fleet.seconds, [busy()]);
    await fleet.tick("a", []);
    expect(await fleet.ticker.tick(late, HEARD_MS)).toBe("repeated");
    await fleet.tick("b", [busy()]);
    expect(await fleet.of("b")).toEqual(["service", 4]);
  });

  it("what was written down at an earlier departure, when both hosts have it now", async () => {
    const fleet = await threeCounted();
    await fleet.tick("a", []);
    await fleet.tick("a", [busy()]);
    await fleet.tick("b", [migrating()]);
    expect(await fleet.of("b")).toEqual(["service", 1]);
  });
});

describe("a classifier that ends between two steps of a migration", () => {
  it.each(["a", "b"] as const)(
    "with the commit of host %s not done: the next one does the same",
    async (host) => {
      const fleet = await threeCounted();
      const steps: [host: "a" | "b", guests: GuestSample[]][] = [
        ["a", []],
        ["b", [busy()]],
      ];
      for (const [at, guests] of steps) {
        if (at === host) {
          fleet.failing = host;
          await expect(fleet.tick(at, guests)).rejects.toThrow(StoreUnavailableError);
          fleet.ticker = fleet.open();
        }
        await fleet.tick(at, guests);
      }
      expect([await fleet.of("a"), await fleet.of("b")]).toEqual([undefined, ["service", 4]]);
    },
  );

  it("with the guest on both hosts, and the commit of the new one not done", async () => {
    const fleet = await threeCounted();
    fleet.failing = "b";
    await expect(fleet.tick("b", [migrating()])).rejects.toThrow(StoreUnavailableError);
    // It is written down as taken: what the old host says now of its departure is not heard any more.
    await fleet.tick("a", []);
    fleet.ticker = fleet.open();
    await fleet.tick("b", [busy()]);
    expect(await fleet.of("b")).toEqual(["service", 4]);
  });

  it("with its host's commit not done, and the guest on the new one first", async () => {
    const fleet = await threeCounted();
    fleet.failing = "a";
    await expect(fleet.tick("a", [])).rejects.toThrow(StoreUnavailableError);
    await fleet.tick("b", [busy()]);
    await fleet.tick("a", []);
    await fleet.tick("b", [busy()]);
    expect([await fleet.of("a"), await fleet.of("b")]).toEqual([undefined, ["service", 4]]);
    // And on to a third host.
    await fleet.tick("c", [busy()]);
    await fleet.tick("b", []);
    await fleet.tick("c", [busy()]);
    expect(await fleet.of("c")).toEqual(["service", 5]);
  });
});

describe("guests of hosts from before places were written down, or after the store was lost", () => {
  it("are carried over after one tick of their host", async () => {
    const fleet = await threeCounted();
    const { state } = await fleet.store.read("a");
    if (state === undefined) throw new Error("no state");
    // As version 0.1 left it: no place of the guest, no time at which the host was heard.
    const older = new Fleet();
    await older.store.commit("a", await older.store.read("a"), state);
    older.seconds = fleet.seconds;
    await older.tick("a", [busy()]);
    expect(await older.of("a")).toEqual(["service", 4]);
    await older.tick("a", []);
    await older.tick("b", [busy()]);
    expect(await older.of("b")).toEqual(["service", 5]);
    expect(await older.carriedOver()).toBe(1);
  });
});
