/** Classifiers that share a fleet, seen from one of them: its console and its answers show the hosts of all. */
import { describe, expect, it } from "@jest/globals";
import { fleetModel } from "../../packages/console/src/model/fleet.ts";
import { guestModel } from "../../packages/console/src/model/guest.ts";
import { hostModel } from "../../packages/console/src/model/host.ts";
import { ONLY } from "../../packages/console/src/model/model.ts";
import { ClassifierFacts } from "../../services/classifier/src/console-source.ts";
import { FleetFacts } from "../../services/classifier/src/fleet-facts.ts";
import { Room, SETTINGS, TIMEOUT_MS } from "../../services/classifier/src/testing/room.ts";
import type { Member } from "../../services/classifier/src/testing/room.ts";
import { guestSample, hostOf, uuidOf } from "../../services/classifier/src/testing/samples.ts";

const web = guestSample(1, { run: 0.5, name: "web" });

function two(timeoutMs = TIMEOUT_MS.long) {
  const room = new Room();
  room.timeoutMs = timeoutMs;
  const [near, far] = [room.join("near"), room.join("far")];
  return { room, near, far, source: sourceOf(near) };
}

function sourceOf({ views, history, series, others, now }: Member, stored: string[] = []): ClassifierFacts {
  return new ClassifierFacts({
    views,
    history,
    series,
    others,
    store: { hosts: () => Promise.resolve(stored) },
    readiness: { parts: () => ({}) },
    settings: () => SETTINGS,
    now,
    onError: (error) => {
      throw error;
    },
  });
}

describe("the console of one classifier", () => {
  it("shows hosts, guests and decisions of another", async () => {
    const { room, near, far, source } = two();
    for (const member of [near, far]) member.views.announced(hostOf("h2", [0, 0]));
    near.tick("h1", [web]);
    far.tick("h2", [web]);
    fleetModel(source);
    hostModel("h2", source);
    guestModel("h2", uuidOf(1), source);
    await room.answered();
    room.nowMs += 500;
    const { hosts, alarms } = fleetModel(source);
    expect(Object.keys(hosts ?? {}).sort()).toEqual(["h1", "h2"]);
    expect(hosts?.["h2"]).toMatchObject({ known: true, services: 1, sampleAtMs: room.nowMs - 500 });
    expect(Object.keys(alarms ?? {}).sort()).toEqual(["h1/no-actuator", "h2/no-actuator"]);
    const host = hostModel("h2", source);
    expect(host["guests"]?.[uuidOf(1)]).toMatchObject({ name: "web", usage: 0.5 });
    expect(host["cpus"]?.["0"]).toMatchObject({ node: 0 });
    const guest = guestModel("h2", uuidOf(1), source);
    expect(guest["guest"]?.[ONLY]).toMatchObject({
      known: true,
      knownSinceMs: room.nowMs - 500,
      missing: [],
    });
    expect(Object.keys(guest["fine"] ?? {})).toHaveLength(1);
    expect(Object.values(guest["decisions"] ?? {})).toMatchObject([{ kind: "first" }]);
  });

  it("raises no alarm while it asks, and does when nobody knows the host", async () => {
    const { room, near, source } = two();
    near.views.announced(hostOf("h9", [0]));
    room.nowMs += 60_000;
    expect(fleetModel(source)["alarms"]).toEqual({});
    await room.answered();
    expect(Object.keys(fleetModel(source)["alarms"] ?? {})).toEqual(["h9/no-sample"]);
  });

  it("asks nobody on hosts of its own, and others once a second while somebody looks", async () => {
    const { room, near, far, source } = two();
    near.tick("h1", [web]);
    far.tick("h2", [web]);
    hostModel("h1", source);
    expect(room.asked).toEqual([]);
    for (let look = 0; look < 10; look++) {
      hostModel("h2", source);
      await room.answered();
      room.nowMs += 250;
    }
    expect(room.asked).toEqual(Array(3).fill("host"));
    room.nowMs += 60_000;
    await room.answered();
    expect(room.asked).toHaveLength(3);
  });

  it("shows a host of one that died as it was, and its silence, until the next one has it", async () => {
    const { room, near, far, source } = two();
    far.tick("h2", [web]);
    fleetModel(source);
    await room.answered();
    room.members.delete("far");
    for (let second = 0; second < 6; second++) {
      room.nowMs += 1000;
      fleetModel(source);
      await room.answered();
    }
    const { hosts, alarms } = fleetModel(source);
    expect(hosts?.["h2"]).toMatchObject({ services: 1, severity: "warning" });
    expect(alarms?.["h2/no-sample"]).toMatchObject({ text: "no sample: the plan runs out soon" });
    near.tick("h2", [web, guestSample(2, { run: 0.1 })]);
    expect(fleetModel(source)["hosts"]?.["h2"]).toMatchObject({ services: 2, severity: "warning" });
    expect(fleetModel(source)["alarms"]?.["h2/no-sample"]).toBeUndefined();
  });

  it("says that it is not complete where one does not answer", async () => {
    const { room, near, far, source } = two(TIMEOUT_MS.short);
    far.isDeaf = true;
    near.tick("h1", [web]);
    fleetModel(source);
    await room.answered();
    expect(fleetModel(source)["alarms"]?.["/not-complete"]).toMatchObject({
      severity: "warning",
      text: expect.stringContaining("1 of 1 other classifiers (far) did not answer"),
    });
  });

  it("takes the later word where two have worked a host off", async () => {
    const { room, near, far, source } = two();
    near.tick("h1", [web]);
    room.nowMs += 20_000;
    far.tick("h1", [web, guestSample(2, { run: 0.1 })]);
    hostModel("h1", source);
    fleetModel(source);
    await room.answered();
    expect(fleetModel(source)["hosts"]?.["h1"]).toMatchObject({ services: 2 });
    expect(Object.keys(hostModel("h1", source)["guests"] ?? {})).toHaveLength(2);
    room.nowMs += 1000;
    near.tick("h1", [web]);
    expect(fleetModel(source)["hosts"]?.["h1"]).toMatchObject({ services: 1 });
  });

  it("takes the later word of two others, in whatever order they answer", async () => {
    for (const names of [
      ["early", "late"],
      ["late", "early"],
    ]) {
      const room = new Room();
      const source = sourceOf(room.join("near"));
      for (const name of names) room.join(name);
      room.members.get("early")?.tick("h1", [web]);
      room.nowMs += 3000;
      room.members.get("late")?.tick("h1", [web, guestSample(2, { run: 0.1 })]);
      fleetModel(source);
      await room.answered();
      expect(fleetModel(source)["hosts"]?.["h1"]).toMatchObject({ services: 2 });
    }
  });

  it("takes a clock that is wrong by a minute for no silence", async () => {
    const room = new Room();
    const source = sourceOf(room.join("near"));
    room.join("far", -60_000).tick("h2", [web]);
    fleetModel(source);
    await room.answered();
    const { hosts, alarms } = fleetModel(source);
    expect(hosts?.["h2"]?.["sampleAtMs"]).toBe(room.nowMs);
    expect(alarms?.["h2/no-sample"]).toBeUndefined();
  });
});

describe("requests to one classifier", () => {
  const factsOf = ({ views, history, others, now }: Member) =>
    new FleetFacts({ views, history, others, now });

  it("are answered from another's memory", async () => {
    const { room, near, far } = two();
    near.tick("h1", [web]);
    far.tick("h2", [web, guestSample(2, { run: 0.1 })]);
    const facts = factsOf(near);
    const { value: hosts } = await facts.hosts();
    expect([...hosts]).toEqual(
      expect.arrayContaining([
        ["h1", { lastHeardMs: room.nowMs, generation: 1 }],
        ["h2", { lastHeardMs: room.nowMs, generation: 1 }],
      ]),
    );
    const { value: found } = await facts.find("web");
    expect(found.guests.map(({ host }) => host).sort()).toEqual(["h1", "h2"]);
    const host = await facts.host("h2", { guest: uuidOf(1) });
    expect(host.view?.tick?.report.guests).toHaveLength(2);
    expect(host.historyOf(uuidOf(1)).decisions).toHaveLength(1);
  });

  it("have no more than a hundred guests of a name, and count the rest", async () => {
    const { near, far } = two();
    const many = (from: number) =>
      Array.from({ length: 80 }, (_, n) => guestSample(from + n, { run: 0.1, name: "same" }));
    near.tick("h1", many(0));
    far.tick("h2", many(100));
    const { value } = await factsOf(near).find("same");
    expect([value.guests.length, value.more]).toEqual([100, 60]);
  });

  it("say what is missing", async () => {
    const { room, near, far } = two(TIMEOUT_MS.short);
    far.isDeaf = true;
    expect((await factsOf(near).host("h2")).missing).toHaveLength(1);
    room.isAway = true;
    expect((await factsOf(near).host("h2")).missing).toEqual([
      "NATS is away: other classifiers cannot be asked",
    ]);
  });
});
