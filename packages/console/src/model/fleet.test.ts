import { describe, expect, it } from "@jest/globals";
import { TestSource, guest } from "../testing/source.ts";
import { HOSTS_MAX, fleetModel, hostLine } from "./fleet.ts";
import { ONLY } from "./model.ts";

describe("fleetModel", () => {
  it("sums use by class, and leaves the rest idle", () => {
    const source = new TestSource({ beta: 0 });
    for (let i = 0; i < 2; i++)
      source.tick("h1", [
        guest(1, 1, { count: 2 }),
        guest(2, 0.5, { otherRun: 0.25 }),
        guest(3, 0.75, { exemptReason: "realtime" }),
      ]);
    source.applied("h1");
    const { hosts, fleet } = fleetModel(source);
    expect(hosts?.["h1"]).toMatchObject({
      capacityCores: 8,
      serviceCores: 0.75,
      scientificCores: 2,
      exemptCores: 0.75,
      hostCores: 0.5,
      idleCores: 4,
      services: 1,
      scientific: 1,
      exempt: 1,
      actuator: "in force",
      severity: "",
    });
    expect(fleet?.[ONLY]).toMatchObject({ hosts: 1, capacityCores: 8, idleCores: 4, critical: 0 });
  });

  it("has the hosts of the store that were not heard of, and what the classifier waits for", () => {
    const source = new TestSource();
    source.stored = ["h1", "lost"];
    source.waiting = [{ name: "redis", detail: "connect ECONNREFUSED" }];
    source.tick("h1", [guest(1, 0.1)]);
    source.nowMs += 5500;
    const { hosts, alarms } = fleetModel(source);
    expect(hosts?.["lost"]).toMatchObject({ known: false, capacityCores: null, idleCores: null });
    expect(Object.keys(alarms ?? {})).toEqual([
      "/waits-for-redis",
      "lost/no-sample",
      "h1/no-sample",
      "h1/no-actuator",
    ]);
  });

  it("keeps those in trouble where there are more hosts than a page shows", () => {
    const source = new TestSource();
    for (let n = 0; n < HOSTS_MAX + 5; n++) source.tick(`h${n}`, []);
    source.nowMs += 1;
    for (const [id] of source.hosts()) if (id !== "h1004") source.applied(id);
    const young = source.nowMs;
    for (const [id, { tick }] of source.facts)
      if (tick !== undefined) source.put(id, { tick: { ...tick, decidedAtMs: young } });
    const { hosts, fleet } = fleetModel(source);
    expect(Object.keys(hosts ?? {})).toHaveLength(HOSTS_MAX);
    expect(hosts?.["h1004"]).toMatchObject({ severity: "warning" });
    expect(fleet?.[ONLY]).toMatchObject({ hosts: HOSTS_MAX + 5, hostsNotShown: 5 });
  });
});

describe("hosts of other classifiers", () => {
  /** One host here and one elsewhere, both with one sample. */
  function both() {
    const [here, there] = [new TestSource(), new TestSource()];
    here.tick("h1", [guest(1, 0.1)]);
    const tick = there.tick("h2", [guest(1, 1, { count: 2 })]);
    there.applied("h2", { switchFired: "expired" });
    here.others.set("h2", hostLine("h2", there.host("h2") ?? {}, there));
    return { here, tick };
  }

  it("are in the table, the sums and the alarms", () => {
    const { here } = both();
    const { hosts, fleet, alarms } = fleetModel(here);
    expect(hosts?.["h2"]).toMatchObject({ known: true, serviceCores: 2, severity: "critical" });
    expect(fleet?.[ONLY]).toMatchObject({ hosts: 2, capacityCores: 16, services: 2, critical: 1 });
    expect(Object.keys(alarms ?? {})).toEqual(["h2/dead-mans-switch", "h1/no-actuator"]);
  });

  it("are silent where their classifier's answers stop", () => {
    const { here } = both();
    here.nowMs += 5500;
    const { hosts, alarms } = fleetModel(here);
    expect(alarms?.["h2/no-sample"]).toMatchObject({ severity: "warning", hostName: "h2" });
    expect(hosts?.["h2"]).toMatchObject({ severity: "critical" });
    here.nowMs += 60_000;
    expect(fleetModel(here)["alarms"]?.["h2/no-sample"]).toMatchObject({ severity: "critical" });
  });

  it("are not missed before their classifier could answer", () => {
    const source = new TestSource();
    source.stored = ["h3"];
    source.nowMs += 60_000;
    source.asked.add("h3");
    expect(fleetModel(source)["alarms"]).toEqual({});
    source.asked.clear();
    expect(Object.keys(fleetModel(source)["alarms"] ?? {})).toEqual(["h3/no-sample"]);
  });

  it("are said to be incomplete where somebody does not answer", () => {
    const source = new TestSource();
    source.lacking = ["1 of 2 other classifiers (a1) did not answer"];
    expect(Object.values(fleetModel(source)["alarms"] ?? {})).toMatchObject([
      {
        code: "not-complete",
        severity: "warning",
        text: expect.stringMatching(/^this page is not complete: 1 of 2 other classifiers/),
      },
    ]);
  });
});
