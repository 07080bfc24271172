import { describe, expect, it } from "@jest/globals";
import { SERIES_COLUMNS } from "@kvm-governor/console";
import { decide, settingsSchema } from "@kvm-governor/policy";
import type { GuestSample, HostState } from "@kvm-governor/policy";
import { guestSample, sampleOf, uuidOf } from "../testing/samples.ts";
import { Ring } from "./ring.ts";
import { BYTES_PER_GUEST, COARSE, FINE, SeriesStore } from "./series.ts";

const column = (name: (typeof SERIES_COLUMNS)[number]): number => SERIES_COLUMNS.indexOf(name) + 1;

/** A store that follows decisions on one host, one second a tick. */
class Followed {
  nowMs = 1_800_000_000_000;
  readonly store: SeriesStore;
  readonly #states = new Map<string, HostState>();
  #tick = 0;

  constructor(guestsMax = 10) {
    this.store = new SeriesStore(() => this.nowMs, guestsMax);
  }

  tick(guests: readonly GuestSample[], stepMs = 1000, host = "h1"): void {
    this.nowMs += stepMs;
    this.#tick += 1;
    const sample = sampleOf(host, this.#tick, guests);
    const decision = decide(this.#states.get(host), sample, settingsSchema.parse({ beta: 2 }));
    if (decision.kind !== "decided") throw new Error("a new sample was taken for a repeated one");
    this.#states.set(host, decision.next);
    this.store.decided(sample, decision.plan, decision.report);
  }

  values(name: (typeof SERIES_COLUMNS)[number], n = 1): (number | null | undefined)[] {
    return this.store.watch("h1", uuidOf(n)).fine.map((row) => row[column(name)]);
  }
}

describe("Ring", () => {
  it("keeps the newest points, and takes no byte more", () => {
    const ring = new Ring(3, 10, ["mean"]);
    const { bytes } = ring;
    for (let i = 0; i < 8; i++) ring.add(i * 10, [i]);
    expect(ring.rows()).toEqual([
      [50, 5],
      [60, 6],
      [70, 7],
    ]);
    expect(ring.bytes).toBe(bytes);
  });

  it("makes one point of a bucket: the mean, or the last; what is not known does not count", () => {
    const ring = new Ring(3, 10, ["mean", "last", "mean"]);
    for (const [at, a, b, c] of [
      [10, 1, 1, NaN],
      [14, 2, 5, 4],
      [19, 6, 3, NaN],
      [20, 7, 7, NaN],
    ] as const)
      ring.add(at, [a, b, c]);
    expect(ring.rows()).toEqual([
      [10, 3, 3, 4],
      [20, 7, 7, null],
    ]);
  });

  it("begins again where the clock was set back", () => {
    const ring = new Ring(3, 10, ["mean"]);
    for (const at of [100, 110, 50]) ring.add(at, [at]);
    expect(ring.rows()).toEqual([[50, 50]]);
  });
});

describe("SeriesStore", () => {
  it("has what a guest used, wanted and counted, and in which list it was", () => {
    const followed = new Followed();
    for (let i = 0; i < 4; i++) followed.tick([guestSample(1, { run: 0.25, delay: 0.75, vcpus: 2 })]);
    expect(followed.values("usage")).toEqual([0.25, 0.25, 0.25, 0.25]);
    expect(followed.values("demand")).toEqual([1, 1, 1, 1]);
    expect(followed.values("count")).toEqual([1, 2, 0, 0]);
    expect(followed.values("class")).toEqual([0, 0, 1, 1]);
    expect(followed.values("switches")).toEqual([20, 20, 20, 20]);
    expect(followed.values("involuntary")).toEqual([null, null, null, null]);
  });

  it("splits switches where the sample says how, and knows the quota where one is planned", () => {
    const followed = new Followed();
    const guest = guestSample(1, { run: 0.5, vcpus: 2, declared: { class: "service", slaCores: 1 } });
    followed.tick([{ ...guest, vcpus: guest.vcpus.map((vcpu, i) => ({ ...vcpu, involuntaryPart: i / 2 })) }]);
    expect(followed.values("involuntary")).toEqual([5]);
    expect(followed.values("entitlementCores")).toEqual([1]);
    expect(followed.values("quotaCores")).toEqual([null]);
  });

  it("adds no point for a guest that cannot be read", () => {
    const followed = new Followed();
    followed.tick([guestSample(1, { run: 0.5 })]);
    followed.tick([{ ...guestSample(1, { run: 0 }), state: "paused" }]);
    expect(followed.values("usage")).toEqual([0.5]);
  });

  it("takes the bytes that are written down, from the first point to far beyond the last", () => {
    const guestsMax = 5;
    const followed = new Followed(guestsMax);
    const guests = Array.from({ length: 20 }, (_, n) => guestSample(n, { run: 0.5 }));
    followed.tick(guests);
    expect([followed.store.size, followed.store.bytes]).toEqual([guestsMax, guestsMax * BYTES_PER_GUEST]);
    for (let i = 0; i < FINE.points + 50; i++) followed.tick(guests);
    for (let i = 0; i < COARSE.points + 5; i++) followed.tick(guests, 60_000);
    for (let n = 0; n < 20; n++) followed.store.watch("h1", uuidOf(n));
    expect([followed.store.size, followed.store.bytes]).toEqual([guestsMax, guestsMax * BYTES_PER_GUEST]);
    // The default of 2,000 guests, and what docs/console.md says of it.
    expect(2000 * BYTES_PER_GUEST).toBeLessThan(54e6);
  });

  it("keeps 5 minutes by the second and 5 hours by the minute", () => {
    const followed = new Followed();
    for (let i = 0; i < 400; i++) followed.tick([guestSample(1, { run: 0.5 })]);
    const { fine, coarse } = followed.store.watch("h1", uuidOf(1));
    expect(fine).toHaveLength(300);
    expect(Number(fine.at(-1)?.[0]) - Number(fine[0]?.[0])).toBe(299_000);
    expect(coarse).toHaveLength(
      Math.floor(followed.nowMs / 60_000) - Math.floor((followed.nowMs - 399_000) / 60_000) + 1,
    );
  });

  it("follows who is looked at, in place of whom nobody looked at for longest", () => {
    const followed = new Followed(2);
    const guests = [1, 2, 3].map((n) => guestSample(n, { run: 0.5 }));
    followed.tick(guests);
    followed.store.watch("h1", uuidOf(1));
    expect(followed.store.watch("h1", uuidOf(3)).fine).toEqual([]);
    for (let i = 0; i < 2; i++) followed.tick(guests);
    expect(followed.values("usage", 3)).toHaveLength(2);
    expect(followed.values("usage", 1)).toHaveLength(3);
    expect(followed.store.size).toBe(2);
  });

  it("goes on with the guests of a host as long as one of them is followed, whatever happens to others", () => {
    const followed = new Followed(2);
    const guests = [1, 2].map((n) => guestSample(n, { run: 0.5 }));
    const both = (): void => ["h1", "h2"].forEach((host) => followed.tick(guests, 1000, host));
    const points = (host: string, n: number): number => followed.store.watch(host, uuidOf(n)).fine.length;
    both();
    // In place of one of the first host's.
    expect(points("h2", 1)).toBe(0);
    both();
    expect([points("h2", 1), points("h1", 2)]).toEqual([1, 2]);
    // In place of the second host's own.
    expect(points("h2", 2)).toBe(0);
    both();
    expect([points("h2", 2), points("h1", 2)]).toEqual([1, 3]);
    followed.store.forget((host) => host === "h2");
    both();
    both();
    expect([points("h1", 2), points("h1", 1)]).toEqual([5, 2]);
    expect(followed.store.size).toBe(2);
  });

  it("makes room when guests are gone", () => {
    const followed = new Followed(1);
    followed.tick([guestSample(1, { run: 0.5 })]);
    followed.tick([guestSample(2, { run: 0.5 })], 300_000);
    followed.tick([guestSample(2, { run: 0.5 })], 30_001);
    expect(followed.values("usage", 2)).toEqual([0.5]);
  });

  it("follows nobody where that is asked for", () => {
    const followed = new Followed(0);
    followed.tick([guestSample(1, { run: 0.5 })]);
    expect(followed.store.watch("h1", uuidOf(1))).toEqual({ fine: [], coarse: [], isFollowed: false });
    expect(followed.store.size).toBe(0);
  });
});

it("forgets the hosts that another classifier works off, and no others", () => {
  const followed = new Followed();
  followed.tick([guestSample(1, { run: 0.1 })]);
  followed.store.forget((host) => host !== "h1");
  expect(followed.store.size).toBe(1);
  followed.store.forget((host) => host === "h1");
  expect(followed.store.size).toBe(0);
});
