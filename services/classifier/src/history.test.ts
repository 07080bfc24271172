import { describe, expect, it } from "@jest/globals";
import { decide, settingsSchema } from "@kvm-governor/policy";
import type { Applied, GuestSample, HostState } from "@kvm-governor/policy";
import { History, HOLDS_MAX, WRITES_MAX } from "./history.ts";
import { guestSample, sampleOf, uuidOf } from "./testing/samples.ts";

const settings = settingsSchema.parse({ beta: 2 });
const WRITE = {
  guest: uuidOf(1),
  target: "vcpu 0",
  setting: "bandwidth",
  file: "cpu/x/vcpu0/cpu.cfs_quota_us",
} as const;

/** A history that follows decisions on one host, one millisecond a tick. */
class Followed {
  now = 0;
  readonly history: History;
  #state: HostState | undefined;

  constructor(guestsMax?: number) {
    this.history = new History(() => this.now, guestsMax);
  }

  tick(...guests: GuestSample[]): void {
    this.now += 1;
    const decision = decide(this.#state, sampleOf("h1", this.now, guests), settings);
    if (decision.kind !== "decided") throw new Error("a new sample was taken for a repeated one");
    this.history.decided(decision.plan, decision.report, this.#state?.plan);
    this.#state = decision.next;
  }

  apply(report: Partial<Applied>): void {
    this.now += 1;
    const nothing = { verified: 0, writes: [], drift: [], skipped: [] };
    const of = {
      schema: 1,
      host: "h1",
      bootId: "0b5a7a0e",
      generation: 1,
      sequence: 0,
      readBackAtUs: 1,
    } as const;
    this.history.applied({ ...of, ...nothing, ...report });
  }

  get guest(): ReturnType<History["of"]> {
    return this.history.of("h1", uuidOf(1));
  }
}

describe("History of decisions", () => {
  it("tells when a guest was first seen and when it moved, with what was seen and why", () => {
    const followed = new Followed();
    for (let i = 0; i < 5; i++) followed.tick(guestSample(1, { run: 1 }));
    expect(
      followed.guest.decisions.map(({ kind, class: to, movedFrom, atMs }) => [kind, to, movedFrom, atMs]),
    ).toEqual([
      ["first", "service", undefined, 1],
      ["moved", "scientific", "service", 3],
    ]);
    expect(followed.guest.decisions[1]).toMatchObject({
      usage: 1,
      demand: 1,
      reasons: [{ code: "moved-to-scientific" }, {}, {}, {}],
    });
  });

  it("keeps the moves when how it is held changes often", () => {
    const followed = new Followed();
    for (let i = 0; i < 4; i++) followed.tick(guestSample(1, { run: 1, vcpus: 16 }));
    // Half the host taken and given back by a service, again and again: another share each time.
    for (let i = 0; i < 3 * HOLDS_MAX; i++) {
      const other = guestSample(2, { run: 0.95, vcpus: 2 + 4 * (i % 2), declared: { class: "service" } });
      followed.tick(guestSample(1, { run: 1, vcpus: 16 }), other);
    }
    const kinds = followed.guest.decisions.map(({ kind }) => kind);
    expect(kinds).toContain("moved");
    expect(kinds.filter((kind) => kind === "held").length).toBeLessThanOrEqual(HOLDS_MAX);
    expect(followed.guest.decisions.map(({ atMs }) => atMs)).toEqual(
      followed.guest.decisions.map(({ atMs }) => atMs).toSorted((a, b) => a - b),
    );
  });

  it("says nothing about a plan that changes nothing", () => {
    const followed = new Followed();
    for (let i = 0; i < 50; i++) followed.tick(guestSample(1, { run: 0.1 }));
    expect(followed.guest.decisions).toHaveLength(1);
  });

  it("forgets the guest that changed longest ago when there are too many", () => {
    const followed = new Followed(3);
    for (let n = 1; n <= 5; n++)
      followed.tick(...Array.from({ length: n }, (_, i) => guestSample(i + 1, { run: 0 })));
    expect(followed.history.size).toBe(3);
    expect(followed.guest.decisions).toEqual([]);
    expect(followed.history.of("h1", uuidOf(5)).decisions).toHaveLength(1);
  });
});

describe("History of writes", () => {
  it("keeps the newest, without end", () => {
    const followed = new Followed();
    for (let i = 0; i < WRITES_MAX + 10; i++) {
      followed.apply({
        generation: i,
        writes: [{ ...WRITE, old: String(i), wanted: String(i + 1), readBack: String(i + 1) }],
      });
    }
    expect(followed.guest.writes).toHaveLength(WRITES_MAX);
    expect(followed.guest.writes.at(-1)).toMatchObject({
      generation: WRITES_MAX + 9,
      old: String(WRITES_MAX + 9),
      times: 1,
    });
    expect(followed.guest.writes[0]).not.toHaveProperty("guest");
  });

  it("counts a write that fails again and again in one entry", () => {
    const followed = new Followed();
    for (let i = 0; i < 9; i++)
      followed.apply({ writes: [{ ...WRITE, old: "-1", wanted: "5", error: "EINVAL" }] });
    expect(followed.guest.writes).toEqual([expect.objectContaining({ error: "EINVAL", times: 9, atMs: 9 })]);
  });

  it("shows what the last dry run would write, and nothing once it would write nothing", () => {
    const followed = new Followed();
    const would = { dryRun: true, writes: [{ ...WRITE, old: "-1", wanted: "5" }] };
    for (let i = 0; i < 3; i++) followed.apply(would);
    expect(followed.guest).toMatchObject({ writes: [], wouldWrite: [{ wanted: "5" }] });
    followed.apply({ dryRun: true });
    expect(followed.guest.wouldWrite).toEqual([]);
    followed.apply(would);
    followed.apply({ writes: [{ ...WRITE, old: "-1", wanted: "5", readBack: "5" }] });
    expect(followed.guest).toMatchObject({ writes: [{ readBack: "5" }], wouldWrite: [] });
  });

  it("tells since when a guest is left alone, until it is not", () => {
    const followed = new Followed();
    const skipped = [{ guest: uuidOf(1), name: "g", reason: "restarted" }];
    for (let i = 0; i < 3; i++) followed.apply({ skipped });
    expect(followed.guest.skipped).toEqual({ reason: "restarted", atMs: 1 });
    followed.apply({ switchFired: "expired" });
    expect(followed.guest.skipped).not.toBeNull();
    followed.apply({});
    expect(followed.guest.skipped).toBeNull();
  });

  it("keeps drift", () => {
    const followed = new Followed();
    followed.apply({ drift: [{ ...WRITE, applied: "5", found: "7" }] });
    expect(followed.guest.drift).toEqual([expect.objectContaining({ applied: "5", found: "7", atMs: 1 })]);
  });
});

it("forgets the hosts that another classifier works off, and no others", () => {
  const followed = new Followed();
  followed.tick(guestSample(1, { run: 0.1 }));
  followed.apply({ skipped: [{ guest: uuidOf(1), name: "g", reason: "gone" }] });
  followed.history.forget((host) => host !== "h1");
  expect(followed.history.of("h1", uuidOf(1))).toMatchObject({
    decisions: [{ kind: "first" }],
    skipped: { reason: "gone" },
  });
  followed.history.forget((host) => host === "h1");
  expect(followed.history.size).toBe(0);
  expect(followed.history.of("h1", uuidOf(1)).decisions).toEqual([]);
});
