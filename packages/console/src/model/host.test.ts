import { describe, expect, it } from "@jest/globals";
import { TestSource, announcement, guest, uuidOf } from "../testing/source.ts";
import { GUESTS_MAX, hostModel } from "./host.ts";
import { ONLY } from "./model.ts";

/** A host with one guest that became scientific and two services, one of them pinned. */
function host(): TestSource {
  const source = new TestSource({ beta: 0 });
  source.put("h1", { announced: { host: announcement("h1", [0, 1, 2, 3, 5, 6, 7], [7]), receivedAtMs: 1 } });
  for (let i = 0; i < 3; i++)
    source.tick(
      "h1",
      [
        guest(1, 1, { count: 2, name: "solver" }),
        guest(2, 0.25, { name: "<img src=x>", declared: { class: "service", slaCores: 0.5 } }),
        guest(3, 0.1, { allowedCpus: [0] }),
      ],
      { cpus: [0, 1, 2, 3, 5, 6] },
    );
  source.applied("h1");
  return source;
}

describe("hostModel", () => {
  it("maps who runs where: alone, shared, isolated, offline", () => {
    const { cpus = {} } = hostModel("h1", host());
    const roles = Object.entries(cpus).map(([cpu, row]) => [Number(cpu), row["role"]]);
    expect(roles.filter(([, role]) => role === "isolated")).toEqual([[7, "isolated"]]);
    expect(roles.filter(([, role]) => role === "offline")).toEqual([[4, "offline"]]);
    const alone = Object.values(cpus).filter(({ role }) => role === "scientific");
    expect(alone.map(({ guest: uuid, guestName, vcpu, mayRun }) => [uuid, guestName, vcpu, mayRun])).toEqual([
      [uuidOf(1), "solver", expect.any(Number), 0],
      [uuidOf(1), "solver", expect.any(Number), 0],
    ]);
    expect(cpus[0]).toMatchObject({ role: "shared", pinned: ["guest-3"] });
  });

  it("has a row a guest with use, demand, delay, quota and CPUs", () => {
    const { guests } = hostModel("h1", host());
    expect(guests?.[uuidOf(1)]).toMatchObject({
      name: "solver",
      class: "scientific",
      how: "inferred",
      usage: 1,
      weight: "idle",
    });
    expect(String(guests?.[uuidOf(1)]?.["cpus"])).toMatch(/^\d, \d$/);
    // Not escaped here: the browser writes it as text.
    expect(guests?.[uuidOf(2)]).toMatchObject({
      name: "<img src=x>",
      how: "declared",
      slaCores: 0.5,
      mayCores: 0.5,
    });
    expect(guests?.[uuidOf(3)]).toMatchObject({ class: "service", cpus: "0" });
  });

  it("asks for the samples of all guests no more often where there are more: they are made when they are asked for", () => {
    const timesWith = (guests: number): number => {
      const source = new TestSource();
      const all = Array.from({ length: guests }, (_, at) => guest(at + 1, 0.1));
      const { guests: made, ...tick } = source.tick("h1", all);
      let times = 0;
      source.put("h1", {
        tick: {
          ...tick,
          get guests() {
            times++;
            return made;
          },
        },
      });
      expect(Object.keys(hostModel("h1", source).guests ?? {})).toHaveLength(guests);
      return times;
    };
    expect(timesWith(30)).toBe(timesWith(3));
  });

  it("says what is odd about a guest", () => {
    const source = new TestSource();
    source.tick("h1", [guest(1, 0.1, { state: "paused" }), guest(2, 0.1)]);
    source.applied("h1", { skipped: [{ guest: uuidOf(2), name: "guest-2", reason: "restarted" }] });
    const { guests } = hostModel("h1", source);
    expect(guests?.[uuidOf(1)]).toMatchObject({ readable: false, note: "paused" });
    expect(guests?.[uuidOf(2)]).toMatchObject({ note: "left alone: restarted" });
  });

  it("says that it does not know a host, without alarms", () => {
    const source = new TestSource();
    source.nowMs += 60_000;
    const model = hostModel("nowhere", source);
    expect(model["host"]?.[ONLY]).toMatchObject({ known: false });
    expect(model["alarms"]).toEqual({});
  });

  it("counts the guests that it does not list", () => {
    const source = new TestSource();
    source.tick(
      "h1",
      Array.from({ length: GUESTS_MAX + 3 }, (_, n) => guest(n, 0)),
    );
    const model = hostModel("h1", source);
    expect(Object.keys(model["guests"] ?? {})).toHaveLength(GUESTS_MAX);
    expect(model["host"]?.[ONLY]).toMatchObject({ guestsNotShown: 3 });
  });
});
