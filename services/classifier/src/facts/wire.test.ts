import { expect, it } from "@jest/globals";
import { guestSample, uuidOf } from "../testing/samples.ts";
import { Room } from "../testing/room.ts";
import { Clocks } from "./clocks.ts";
import { pack, readAnswer } from "./messages.ts";
import { hostOf, wireFacts } from "./wire.ts";

const DECLARED = { class: "service", slaCores: 4, source: "metadata" } as const;

/** A host with everything that can be remembered: a guest short of its SLA, a failed write, drift, one that is left alone. */
function remembered() {
  const room = new Room();
  const member = room.join("a");
  const guests = [
    guestSample(1, { run: 0.3, delay: 0.65, vcpus: 4, declared: DECLARED }),
    { ...guestSample(2, { run: 1, name: 'a "b"\n' }), exemptReason: "realtime" as const },
  ];
  const report = { schema: 1 as const, host: "h1", bootId: "0b5a7a0e", generation: 1, sequence: 1 };
  const at = { guest: uuidOf(1), target: "guest", setting: "idle", file: "f" } as const;
  for (let tick = 0; tick < 3; tick++) {
    room.nowMs += 1000;
    member.tick("h1", guests, { pressure: 0.1, unreadable: [{ name: "x", reason: "gone" }] });
    const applied = {
      ...report,
      readBackAtUs: 2001,
      verified: 3,
      writes: [{ ...at, old: "0", wanted: "1", error: "EIO" }],
      drift: [{ ...at, applied: "1", found: "0" }],
      skipped: [{ guest: uuidOf(2), name: "x", reason: "gone" }],
    };
    member.views.applied(applied);
    member.history.applied(applied);
  }
  return { room, member };
}

it("brings everything that is remembered of a host and a guest to another classifier", async () => {
  const { room, member } = remembered();
  const asker = room.join("b");
  const { value, missing } = await asker.others.getHost("h1", { guest: uuidOf(1) });
  expect(missing).toEqual([]);
  // toEqual: fields that are undefined are not there in JSON.
  expect(value?.view).toEqual(member.views.get("h1"));
  expect(value?.view.tick?.shortSince.size).toBe(1);
  expect(value?.history).toEqual(member.history.of("h1", uuidOf(1)));
  expect(value?.history?.writes[0]).toMatchObject({ times: 3, error: "EIO" });
  expect(value?.series).toEqual(member.series.watch("h1", uuidOf(1)));
  expect(value?.series?.fine).toHaveLength(3);
  const { value: all } = await asker.others.getHost("h1", { writes: true });
  expect(all?.writes.get(uuidOf(2))).toBeUndefined();
  expect(all?.writes.get(uuidOf(1))?.writes).toEqual(member.history.of("h1", uuidOf(1)).writes);
});

it("moves each time to the clock of whoever asks", async () => {
  const { room, member } = remembered();
  const view = member.views.get("h1") ?? {};
  const guest = {
    history: member.history.of("h1", uuidOf(1)),
    series: member.series.watch("h1", uuidOf(1)),
  };
  const answer = await readAnswer(
    "host",
    await pack({ from: "a", nowMs: room.nowMs, host: "h1", facts: wireFacts(view), guest }),
  );
  const [here, there] = [hostOf(answer, 0), hostOf(answer, 5000)];
  const times = (text: string): number[] => [...text.matchAll(/1800000\d{6}/g)].map(Number);
  const timesOf = (host: typeof here): number[] =>
    times(
      JSON.stringify([
        host?.view.applied,
        host?.view.troubles,
        host?.view.knownSinceMs,
        host?.view.tick?.decidedAtMs,
        [...(host?.view.tick?.shortSince ?? [])],
        host?.history,
        host?.series,
      ]),
    );
  expect(timesOf(here).length).toBeGreaterThanOrEqual(15);
  expect(timesOf(there)).toEqual(timesOf(here).map((ms) => ms + 5000));
  // By the host's own clock, which all see alike.
  expect(there?.view.tick?.sample).toEqual(here?.view.tick?.sample);
});

it("takes clocks that are nearly alike for the same, and follows others without flicker", () => {
  let now = 100_000;
  const clocks = new Clocks(() => now);
  expect(clocks.shiftOf("near", 99_400)).toBe(0);
  expect(clocks.shiftOf("far", 40_000)).toBe(60_000);
  now += 1000;
  expect(clocks.shiftOf("far", 40_600)).toBe(60_000);
  expect(clocks.shiftOf("far", 100_900)).toBe(0);
  expect(clocks.shiftOf("ahead", 131_000)).toBe(-30_000);
});
