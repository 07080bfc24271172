import { describe, expect, it } from "@jest/globals";
import { TestSource, guest, uuidOf } from "../testing/source.ts";
import { hostAlarms } from "./alarms.ts";

const codes = (source: TestSource, host = "h1"): [string, string][] =>
  hostAlarms(host, source.host(host) ?? {}, source).map(({ severity, code }) => [severity, code]);

/** A host in good order. */
function good(): TestSource {
  const source = new TestSource();
  source.tick("h1", [guest(1, 0.2)]);
  source.applied("h1");
  return source;
}

describe("alarms of a host", () => {
  it("are none where all is well", () => {
    expect(codes(good())).toEqual([]);
  });

  it("tell a sample that is missed, and worse when the plan has run out", () => {
    const source = good();
    source.nowMs += 5000;
    expect(codes(source)).toEqual([]);
    source.nowMs += 1;
    expect(codes(source)).toEqual([["warning", "no-sample"]]);
    source.nowMs += 5000;
    expect(codes(source)).toEqual([["critical", "no-sample"]]);
    expect(hostAlarms("h1", source.host("h1") ?? {}, source)[0]?.sinceMs).toBe(source.nowMs - 10_001);
  });

  it("tell a host of the store that was never heard of, once there was time to hear of it", () => {
    const source = new TestSource();
    expect(codes(source, "lost")).toEqual([]);
    source.nowMs += 6000;
    expect(codes(source, "lost")).toEqual([["critical", "no-sample"]]);
  });

  it("tell a plan that is not applied, but not while it may be on its way", () => {
    const source = good();
    source.applied("h1", { generation: 0 });
    source.nowMs += 4000;
    expect(codes(source)).toEqual([]);
    source.tick("h1", [guest(1, 0.2)]);
    source.nowMs += 1000;
    expect(codes(source)).toEqual([["warning", "plan-not-applied"]]);
  });

  it("tell the dead-man's switch, and guests that were taken back on purpose less loudly", () => {
    const source = good();
    source.applied("h1", { switchFired: "expired" });
    expect(codes(source)).toEqual([["critical", "dead-mans-switch"]]);
    source.applied("h1", { switchFired: "operator" });
    expect(codes(source)).toEqual([["warning", "taken-back"]]);
  });

  it("tell that no actuator has reported", () => {
    const source = new TestSource();
    source.tick("h1", [guest(1, 0.2)]);
    expect(codes(source)).toEqual([["warning", "no-actuator"]]);
  });

  it("tell failed writes and drift of lately, not of long ago", () => {
    const source = good();
    const atMs = source.nowMs;
    source.put("h1", { troubles: { errors: { atMs, count: 2 }, drift: { atMs, count: 1 } } });
    expect(codes(source)).toEqual([
      ["critical", "writes-failed"],
      ["warning", "drift"],
    ]);
    for (let i = 0; i < 2; i++) {
      source.nowMs += 599_000 / 2;
      source.tick("h1", [guest(1, 0.2)]);
    }
    expect(codes(source)).toEqual([["warning", "drift"]]);
  });

  it("tell a service that gets less than its SLA, by name, when that lasts", () => {
    const source = good();
    const tick = source.tick("h1", [guest(1, 0.2, { name: "web" })]);
    source.put("h1", { tick: { ...tick, shortSince: new Map([[uuidOf(1), source.nowMs - 9_999]]) } });
    expect(codes(source)).toEqual([]);
    source.nowMs += 1;
    const [alarm] = hostAlarms("h1", source.host("h1") ?? {}, source);
    expect(alarm).toMatchObject({ severity: "critical", guest: uuidOf(1), guestName: "web" });
  });

  it("tell guests that cannot be read, at most three by name, and SLAs that do not fit", () => {
    const source = new TestSource();
    const sla = { declared: { class: "service", slaCores: 6 } as const, count: 6 };
    const unreadable = [1, 2, 3, 4].map((n) => ({ name: `lost-${n}\u202e`, reason: "EACCES" }));
    source.tick("h1", [guest(1, 0.2, sla), guest(2, 0.2, sla)], { unreadable });
    source.applied("h1");
    const texts = hostAlarms("h1", source.host("h1") ?? {}, source).map(({ text }) => text);
    expect(texts).toEqual([
      expect.stringMatching(/SLAs of its guests exceed the host: each gets 67% of its SLA/),
      "cannot be read: lost-1\\u202e (EACCES), lost-2\\u202e (EACCES), lost-3\\u202e (EACCES) and 1 more",
    ]);
  });
});
