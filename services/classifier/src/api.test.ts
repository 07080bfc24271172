import { afterEach, expect, it } from "@jest/globals";
import { decide, settingsSchema } from "@kvm-governor/policy";
import { createLogger, Readiness, startPages } from "@kvm-governor/service-kit";
import type { Pages } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { addApi } from "./api.ts";
import { FleetFacts } from "./fleet-facts.ts";
import { History } from "./history.ts";
import { MemoryStore } from "./store/memory-store.ts";
import { guestSample, sampleOf, uuidOf } from "./testing/samples.ts";
import { Views } from "./views.ts";

const NAME = 'web "a/b"';
const opened: Pages[] = [];
afterEach(async () => {
  for (const pages of opened.splice(0)) await pages.close();
});

/**
 * A classifier's pages after one decision on host h1 with one guest, which an actuator tried in a dry run.
 * @param missing what others do not tell
 */
async function classifier(
  missing: string[] = [],
): Promise<(path: string) => Promise<{ status: number; body: Record<string, unknown> }>> {
  const store = new MemoryStore();
  const history = new History(() => 5000);
  const views = new Views(() => 5000);
  const memory = { views, history };
  const others = {
    getHost: () => Promise.resolve({ value: undefined, missing }),
    getFleet: () => Promise.resolve({ value: new Map(), missing }),
    find: () => Promise.resolve({ value: { guests: [], more: 0 }, missing }),
  };
  const facts = new FleetFacts({ views, history, others, now: () => 5000 });
  const sample = sampleOf("h1", 1, [guestSample(1, { run: 0.5, name: NAME })]);
  const decision = decide(undefined, sample, settingsSchema.parse({}));
  if (decision.kind !== "decided") throw new Error("not decided");
  await store.commit("h1", await store.read("h1"), decision.next);
  memory.views.decided(sample, decision.plan, decision.report);
  memory.history.decided(decision.plan, decision.report, undefined);
  const write = {
    guest: uuidOf(1),
    target: "guest",
    setting: "idle",
    file: "cpu/x/cpu.idle",
    old: "0",
    wanted: "1",
  } as const;
  const report = {
    generation: 1,
    sequence: 1,
    readBackAtUs: 2,
    verified: 1,
    writes: [write],
    drift: [],
    skipped: [],
    dryRun: true,
  };
  memory.history.applied({ schema: 1, host: "h1", bootId: sample.bootId, ...report });
  const pages = await startPages({
    listen: "127.0.0.1:0",
    title: "test",
    registry: new Registry(),
    readiness: new Readiness(),
    log: createLogger("classifier", "silent"),
    routes: (app) =>
      addApi(app, { store, views, facts, hostIds: { of: () => undefined }, isPageAllowed: () => true }),
  });
  opened.push(pages);
  const { url } = pages;
  return async (path) => {
    const answer = await fetch(`${url}${path}`);
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
}

it("tells a guest's history, and since when it is in its list by the host's wall clock", async () => {
  const get = await classifier();
  const { body } = await get(`/api/v1/hosts/h1/guests/${uuidOf(1)}`);
  expect(body).toMatchObject({
    name: NAME,
    class: "service",
    sinceMs: sampleOf("h1", 1, []).wallTimeMs,
    history: {
      decisions: [{ kind: "first", atMs: 5000 }],
      wouldWrite: [{ wanted: "1" }],
      writes: [],
      skipped: null,
    },
  });
});

it("finds guests by name and by UUID", async () => {
  const get = await classifier();
  const found = {
    guests: [{ host: "h1", uuid: uuidOf(1), name: NAME, class: "service" }],
    more: 0,
    missing: [],
  };
  expect((await get(`/api/v1/guests/${encodeURIComponent(NAME)}`)).body).toEqual(found);
  expect((await get(`/api/v1/guests/${uuidOf(1).toUpperCase()}`)).body).toEqual(found);
  expect((await get("/api/v1/guests/web")).body).toEqual({ guests: [], more: 0, missing: [] });
});

it("tells the writes of a host guest by guest", async () => {
  const get = await classifier();
  const { body } = await get("/api/v1/hosts/h1/writes");
  expect(body).toMatchObject({
    host: "h1",
    generation: 1,
    guests: [{ name: NAME, wouldWrite: [{ file: "cpu/x/cpu.idle" }] }],
  });
  expect((await get("/api/v1/hosts/other/writes")).status).toBe(404);
});

it("says what others did not tell, and does not deny what they may know", async () => {
  const missing = ["1 of 2 other classifiers (a1) did not answer within 1000 ms"];
  const get = await classifier(missing);
  expect((await get("/api/v1/hosts")).body).toMatchObject({ hosts: [{ id: "h1" }], missing });
  expect((await get("/api/v1/guests/web")).body).toEqual({ guests: [], more: 0, missing });
  // Its own host needs nobody else.
  expect((await get("/api/v1/hosts/h1")).body).toMatchObject({ missing: [], knownSinceMs: 5000 });
  expect(await get("/api/v1/hosts/other")).toEqual({
    status: 503,
    body: { error: `no host other, as far as is known: ${missing[0]}` },
  });
  expect((await (await classifier())("/api/v1/hosts/other")).status).toBe(404);
});

it("refuses what is no id", async () => {
  const get = await classifier();
  const { status, body } = await get("/api/v1/hosts/a%20b");
  expect([status, body["error"]]).toEqual([400, expect.stringMatching(/^host id "a b": must be/)]);
  expect(await get("/api/v1/hosts/h1/guests/x")).toMatchObject({ status: 400 });
});
