import { describe, expect, it } from "@jest/globals";
import { decide, settingsSchema } from "@kvm-governor/policy";
import type { Applied, GuestSample, HostState } from "@kvm-governor/policy";
import { BOOT, guestSample, sampleOf, uuidOf } from "./testing/samples.ts";
import { Views } from "./views.ts";
import type { DelayCount } from "./views.ts";

const sla = { class: "service", slaCores: 1 } as const;

function viewing() {
  const clock = { ms: 1000 };
  const views = new Views(() => clock.ms);
  let tick = 0;
  return {
    views,
    clock,
    shortSince: (guest: GuestSample): number | undefined => {
      const sample = sampleOf("h1", ++tick, [guest]);
      const decision = decide(undefined, sample, settingsSchema.parse({}));
      if (decision.kind !== "decided") throw new Error("not decided");
      views.decided(sample, decision.plan, decision.report);
      return views.get("h1")?.tick?.shortSince.get(uuidOf(1));
    },
    applied: (rest: Partial<Applied>): void =>
      views.applied({
        schema: 1,
        host: "h1",
        bootId: BOOT,
        generation: 1,
        sequence: 1,
        readBackAtUs: 2,
        verified: 1,
        writes: [],
        drift: [],
        skipped: [],
        ...rest,
      }),
  };
}

describe("a service that gets less than its SLA", () => {
  it("is one that waits and uses less than it wants of it; since the first such period", () => {
    const { clock, shortSince } = viewing();
    const short = guestSample(1, { run: 0.3, delay: 0.65, vcpus: 2, declared: sla });
    expect(shortSince(short)).toBe(1000);
    clock.ms = 2000;
    expect(shortSince(short)).toBe(1000);
    expect(shortSince(guestSample(1, { run: 0.5, delay: 0, vcpus: 2, declared: sla }))).toBeUndefined();
  });

  it.each([
    ["is quiet", guestSample(1, { run: 0.1, delay: 0, vcpus: 2, declared: sla })],
    ["has its SLA and wants more", guestSample(1, { run: 0.5, delay: 0.5, vcpus: 2, declared: sla })],
    [
      "hardly waits",
      guestSample(1, { run: 0.85, delay: 0.06, vcpus: 2, declared: { class: "service", slaCores: 2 } }),
    ],
    ["has no SLA", guestSample(1, { run: 0.2, delay: 0.8, vcpus: 2 })],
    ["could not be read", { ...guestSample(1, { run: 0.2, delay: 0.8, declared: sla }), incomplete: true }],
  ])("is not one that %s", (_, guest) => {
    expect(viewing().shortSince(guest)).toBeUndefined();
  });
});

it("remembers when writes failed and values had drifted, beyond the next report", () => {
  const { views, clock, applied } = viewing();
  const write = {
    guest: uuidOf(1),
    target: "guest",
    setting: "idle",
    file: "f",
    old: "0",
    wanted: "1",
    error: "EIO",
  } as const;
  applied({ writes: [write, { ...write, target: "vcpu 0" }] });
  clock.ms = 2000;
  applied({
    drift: [{ guest: uuidOf(1), target: "guest", setting: "idle", file: "f", applied: "1", found: "0" }],
  });
  clock.ms = 3000;
  applied({});
  expect(views.get("h1")?.troubles).toEqual({
    errors: { atMs: 1000, count: 2 },
    drift: { atMs: 2000, count: 1 },
  });
});

it("knows since when it knows a host, anew after another had it", () => {
  const { views, clock, shortSince } = viewing();
  shortSince(guestSample(1, { run: 0.1 }));
  clock.ms = 9000;
  shortSince(guestSample(1, { run: 0.1 }));
  expect(views.get("h1")?.knownSinceMs).toBe(1000);
  views.forget((host) => host === "h1");
  expect(views.get("h1")).toBeUndefined();
  shortSince(guestSample(1, { run: 0.1 }));
  expect(views.get("h1")?.knownSinceMs).toBe(9000);
});

it("counts the periods of services that declared a delay, and those that exceeded it", () => {
  const views = new Views(() => 1000);
  let state: HostState | undefined;
  let tick = 0;
  const after = (guest: GuestSample): ReadonlyMap<string, DelayCount> | undefined => {
    const sample = sampleOf("h1", ++tick, [guest, guestSample(2, { run: 0.5, delay: 0.5 })]);
    const decision = decide(state, sample, settingsSchema.parse({}));
    if (decision.kind !== "decided") throw new Error("not decided");
    state = decision.next;
    views.decided(sample, decision.plan, decision.report);
    return views.get("h1")?.tick?.delays;
  };
  const web = (delay: number, rest: Partial<GuestSample["declared"]> = {}): GuestSample =>
    guestSample(1, { run: 0.2, delay, declared: { class: "service", slaDelay: 0.1, ...rest } });
  after(web(0.05));
  after(web(0.2));
  after({ ...web(0.3), incomplete: true });
  const counts = after(web(0.1));
  expect(counts).toEqual(new Map([[uuidOf(1), { slaDelay: 0.1, delay: 0.1, periods: 3, exceeded: 1 }]]));
  expect(after(guestSample(1, { run: 0.2, delay: 0.5 }))?.size).toBe(0);
});
