/** The classifier as a real process on real NATS and Redis: what it decides, and what bad input does to it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { REFUSED_STREAM, refusedSubject } from "@kvm-governor/policy";
import type { Applied, Host, Sample } from "@kvm-governor/policy";
import { jetstreamManager } from "@nats-io/jetstream";
import type { StoredMsg } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import {
  BOOT,
  guestSample,
  sampleOf,
  uuidOf,
  uuidOn,
} from "../../services/classifier/src/testing/samples.ts";
import { NASTY_NAME } from "../../services/classifier/src/testing/states.ts";
import { ControlPlane } from "../support/control-plane.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";
import type { ServiceProcess } from "../support/service-process.ts";

const BETA = 3;
const guest = uuidOf(1);
/** Guests of host `busy` have plain UUIDs; no two hosts have the same. */
const guestOf = (host: string, n: number): string => (host === "busy" ? uuidOf(n) : uuidOn(host, n));

jest.setTimeout(60_000);

describeWith(["servers"], "classifier", () => {
  let plane: ControlPlane;
  let classifier: ServiceProcess;
  let configFile = "";

  beforeAll(async () => {
    plane = await ControlPlane.start();
    configFile = join(plane.dir, "classifier.yaml");
    writeFileSync(configFile, `beta: ${BETA}\ncoolDownMs: 0\n`);
    classifier = await plane.classifier({ KVMGOV_CONFIG: configFile });
  }, 60_000);
  afterAll(() => plane.stop());

  const sampleAt = (host: string, tick: number, run: number): Sample =>
    sampleOf(host, tick, [
      { ...guestSample(1, { run, name: NASTY_NAME }), uuid: guestOf(host, 1) },
      { ...guestSample(2, { run: 0.1 }), uuid: guestOf(host, 2) },
    ]);

  async function publishTicks(host: string, from: number, to: number, run = 1): Promise<void> {
    for (let tick = from; tick <= to; tick++) await plane.publish("sample", host, sampleAt(host, tick, run));
    await plane.committed(host, sampleAt(host, to, run).sequence);
  }

  const field = (host: string, name: string): Promise<string | null> =>
    plane.redis.hget(`kvmgov:{${host}}:guest:${guestOf(host, 1)}`, name);
  const refused = (kind: string, reason: string): Promise<number | undefined> =>
    classifier.metric(`kvmgov_messages_refused_total{kind="${kind}",reason="${reason}"}`);

  describe("a busy guest", () => {
    const host = "busy";

    it("is in LIST_sc when it crossed alpha more than beta times, and back when it is quiet", async () => {
      await publishTicks(host, 1, BETA);
      expect(await plane.redis.smembers(`kvmgov:{${host}}:scientific`)).toEqual([]);
      await publishTicks(host, BETA + 1, BETA + 1);
      expect(await plane.redis.smembers(`kvmgov:{${host}}:scientific`)).toEqual([guest]);
      expect((await plane.redis.smembers(`kvmgov:{${host}}:service`)).sort()).toEqual([uuidOf(2)]);
      await publishTicks(host, BETA + 2, 2 * BETA + 2, 0);
      expect(await plane.redis.smembers(`kvmgov:{${host}}:scientific`)).toEqual([]);
      await publishTicks(host, 2 * BETA + 3, 3 * BETA + 3);
      expect(await plane.redis.smembers(`kvmgov:{${host}}:scientific`)).toEqual([guest]);
    });

    it("has a plan that rests on the last sample and carries what a lost store needs", async () => {
      const plan = await waitFor("the plan", 5000, async () => {
        const found = await plane.plan(host);
        return found?.sequence === sampleAt(host, 3 * BETA + 3, 1).sequence ? found : undefined;
      });
      expect(plan.guests.find(({ uuid }) => uuid === guest)).toMatchObject({
        name: NASTY_NAME,
        class: "scientific",
        count: 0,
      });
    });

    it("is told of in the log, with the reason", async () => {
      const moves = await waitFor("three lines in the log", 5000, () => {
        const lines = classifier.events("guest-moved").filter((line) => line["host"] === host);
        return lines.length >= 3 ? lines : undefined;
      });
      expect(moves).toMatchObject([
        { guest: NASTY_NAME, from: "service", to: "scientific", why: expect.stringMatching(/alpha/) },
        { guest: NASTY_NAME, from: "scientific", to: "service" },
        { guest: NASTY_NAME, from: "service", to: "scientific" },
      ]);
      const generations = classifier.events("plan-published").filter((line) => line["host"] === host);
      expect(generations.map((line) => line["generation"])).toEqual(generations.map((_, i) => i + 1));
      expect(generations[0]?.["changes"]).toEqual([NASTY_NAME, "guest-2"]);
    });

    it("is on the API by its name, with report, plan and lists", async () => {
      const page = await classifier.json(`/api/v1/hosts/${host}`);
      expect(page).toMatchObject({
        status: 200,
        body: {
          id: host,
          lists: { service: [uuidOf(2)], scientific: [guest] },
          guests: expect.arrayContaining([
            expect.objectContaining({ uuid: guest, name: NASTY_NAME, class: "scientific" }),
          ]),
          report: {
            availableCores: expect.any(Number),
            guests: [{ uuid: guest, usage: 1 }, { uuid: uuidOf(2) }],
          },
          plan: { host },
          sample: { guests: 2, periodMs: 1000 },
          storeProblem: null,
        },
      });
      const one = await classifier.json(`/api/v1/hosts/${host}/guests/${guest}`);
      expect(one).toMatchObject({
        status: 200,
        body: { name: NASTY_NAME, class: "scientific", plan: { uuid: guest } },
      });
      const all = await classifier.json("/api/v1/hosts");
      expect(all.body).toMatchObject({ hosts: [{ id: host, guestCounts: { service: 1, scientific: 1 } }] });
    });

    it("is on the metrics page, its name escaped", async () => {
      expect(await classifier.metric(`kvmgov_guest_scientific{host="${host}",uuid="${guest}"}`)).toBe(1);
      expect(await classifier.metric(`kvmgov_guest_scientific{host="${host}",uuid="${uuidOf(2)}"}`)).toBe(0);
      expect(await classifier.metric(`kvmgov_guests{host="${host}",class="scientific"}`)).toBe(1);
      const escaped = String.raw`a:b,c=\"d\"\n`;
      expect(
        await classifier.metric(
          `kvmgov_classified_guest_info{host="${host}",uuid="${guest}",name="${escaped}"}`,
        ),
      ).toBe(1);
      expect(await classifier.metric(`kvmgov_guest_moves_total{host="${host}",to="scientific"}`)).toBe(2);
      expect(await classifier.metric("kvmgov_redis_up")).toBe(1);
      expect(await classifier.metric("kvmgov_bus_connected")).toBe(1);
    });

    it("leaves the page and the lists when it departs", async () => {
      const last = sampleOf(host, 50, [guestSample(2, { run: 0.1 })]);
      await plane.publish("sample", host, last);
      await plane.committed(host, last.sequence);
      expect(
        await classifier.metric(`kvmgov_guest_scientific{host="${host}",uuid="${guest}"}`),
      ).toBeUndefined();
      expect(await plane.redis.keys(`kvmgov:{${host}}:*${guest}`)).toEqual([]);
    });

    it.each([
      ["/api/v1/hosts/nobody", 404, /no host nobody/],
      ["/api/v1/hosts/a%20b", 400, /host id "a b"/],
      [`/api/v1/hosts/${host}/guests/x`, 400, /guest "x".*UUID/],
      [`/api/v1/hosts/${host}/guests/${uuidOf(9)}`, 404, /no guest/],
    ])("the API names the problem of %s", async (path, status, message) => {
      const answer = await classifier.json(path);
      expect(answer.status).toBe(status);
      expect((answer.body as { error: string }).error).toMatch(message);
    });
  });

  describe("bad input", () => {
    const host = "bad";
    const good = (tick: number): Sample => sampleAt(host, tick, 0.9);
    const nearlyTooLong = 1024 * 1024 - 512;

    const cases: [string, string, () => string][] = [
      ["no JSON", "not-json", () => "{ never closed"],
      ["deep nesting", "too-deep", () => "[".repeat(nearlyTooLong)],
      [
        "deep nesting, closed",
        "too-deep",
        () => "[".repeat(nearlyTooLong / 2) + "]".repeat(nearlyTooLong / 2),
      ],
      [
        "a huge array for guests",
        "invalid",
        () => JSON.stringify({ ...good(1), guests: Array.from({ length: 500_000 }, () => 1) }),
      ],
      ["a later version", "newer-version", () => JSON.stringify({ ...good(1), schema: 2 })],
      ["a field of another type", "invalid", () => JSON.stringify({ ...good(1), sequence: "now" })],
      ["a negative run", "invalid", () => JSON.stringify(sampleAt(host, 1, -1))],
      ["another host's sample", "wrong-host", () => JSON.stringify(sampleAt("busy", 99, 1))],
    ];

    it.each(cases)(
      "%s is refused by reason, and the next sample is worked off",
      async (what, reason, body) => {
        const before = (await refused("sample", reason)) ?? 0;
        const index = cases.findIndex(([name]) => name === what);
        const connection = await connect({
          servers: plane.nats.url,
          user: plane.nats.user,
          pass: plane.nats.password,
        });
        connection.publish(`kvmgov.v1.sample.${host}`, body());
        await connection.flush();
        await connection.close();
        await publishTicks(host, index + 1, index + 1, 0.9);
        expect(await refused("sample", reason)).toBe(before + 1);
        await waitFor("the line in the log", 5000, () =>
          classifier
            .events("sample-refused")
            .find((line) => line["host"] === host && line["reason"] === reason),
        );
      },
    );

    it("each reason is set aside once, as it came, for people to look at", async () => {
      const connection = await connect({
        servers: plane.nats.url,
        user: plane.nats.user,
        pass: plane.nats.password,
      });
      const manager = await jetstreamManager(connection);
      const { state } = await manager.streams.info(REFUSED_STREAM);
      const kept = new Map<string, StoredMsg>();
      for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
        const message = await manager.streams.getMessage(REFUSED_STREAM, { seq });
        if (message?.subject === refusedSubject("sample", host))
          kept.set(message.header.get("Kvmgov-Reason"), message);
      }
      await connection.close();
      expect([...kept.keys()].sort()).toEqual([...new Set(cases.map(([, reason]) => reason))].sort());
      const first = kept.get("not-json");
      expect(first?.string()).toBe("{ never closed");
      expect(first?.header.get("Kvmgov-Text")).toMatch(/sample on kvmgov\.v1\.sample\.bad: is not JSON/);
      expect(first?.header.get("Kvmgov-Bytes")).toBe("14");
      const long = kept.get("too-deep");
      expect(long?.data).toHaveLength(64 * 1024);
      expect(long?.header.get("Kvmgov-Bytes")).toBe(String(nearlyTooLong));
      expect(await classifier.metric('kvmgov_bus_set_aside_total{kind="sample",outcome="kept"}')).toBe(
        kept.size,
      );
      expect(await classifier.metric('kvmgov_bus_set_aside_total{kind="sample",outcome="skipped"}')).toBe(
        cases.length - kept.size,
      );
    });

    it("more than NATS takes never arrives", async () => {
      const message = { ...good(90), pad: "x".repeat(1024 * 1024) };
      await expect(plane.bus.publish("sample", host, message)).rejects.toThrow(/payload|PAYLOAD/);
      await publishTicks(host, 91, 91, 0.9);
    });

    it("did not touch the other host", async () => {
      expect(Number(await plane.redis.hget("kvmgov:{busy}:tick", "sequence"))).toBe(
        sampleOf("busy", 50, []).sequence,
      );
    });

    it("stale, repeated and out-of-order samples change nothing", async () => {
      const other = "order";
      const repeated = 'kvmgov_decisions_total{outcome="repeated"}';
      await publishTicks(other, 1, 1);
      await publishTicks(other, 3, 3);
      const before = await plane.redis.hgetall(`kvmgov:{${other}}:tick`);
      const seen = (await classifier.metric(repeated)) ?? 0;
      for (const tick of [3, 2, 1]) await plane.publish("sample", other, sampleAt(other, tick, 1));
      await waitFor("three repeated samples", 5000, async () =>
        (await classifier.metric(repeated)) === seen + 3 ? true : undefined,
      );
      expect(await plane.redis.hgetall(`kvmgov:{${other}}:tick`)).toEqual(before);
      expect(await field(other, "count")).toBe("2");
      await publishTicks(other, 4, 4);
      expect(await field(other, "count")).toBe("3");
    });
  });

  describe("what comes back from the hosts", () => {
    const applied: Applied = {
      schema: 1,
      host: "busy",
      bootId: BOOT,
      generation: 2,
      sequence: 1_000_000,
      readBackAtUs: 1_012_000,
      verified: 8,
      writes: [],
      drift: [],
      skipped: [],
    };
    const announced: Host = {
      schema: 1,
      host: "busy",
      name: "node-7.example",
      bootId: BOOT,
      wallTimeMs: 1,
      kernel: "6.1",
      cgroupVersion: 1,
      topology: [{ cpu: 0, package: 0, node: 0, llc: 0, core: 0, isolated: false }],
      capabilities: ["perf"],
      metrics: { collector: "http://node-7.example:9471/metrics" },
    };

    it("applied reports give the time from sample to read-back, and only those that closed a tick", async () => {
      await plane.publish("applied", "busy", applied);
      await plane.publish("applied", "busy", { ...applied, readBackAtUs: 9_000_000, switchFired: "expired" });
      await plane.publish("applied", "busy", { ...applied, readBackAtUs: 9_000_000, dryRun: true });
      await plane.publish("applied", "busy", { host: "busy" });
      await waitFor("the refusal", 5000, () => refused("applied", "invalid"));
      expect(await classifier.metric("kvmgov_sample_to_read_back_seconds_count")).toBe(1);
      expect(await classifier.metric("kvmgov_sample_to_read_back_seconds_sum")).toBeCloseTo(0.012);
    });

    it("announcements name the host and its metrics pages", async () => {
      await plane.publish("host", "busy", announced);
      const page = await waitFor("the announcement", 5000, async () => {
        const { body } = await classifier.json("/api/v1/hosts/busy");
        return (body as { name: string | null }).name === null ? undefined : body;
      });
      expect(page).toMatchObject({
        name: "node-7.example",
        metrics: announced.metrics,
        applied: { dryRun: true },
      });
    });
  });

  describe("SIGHUP", () => {
    it("reads settings again; a file that cannot be used changes nothing", async () => {
      writeFileSync(configFile, "beta: -1\n");
      classifier.signal("SIGHUP");
      const line = await classifier.event("reload-refused");
      expect(line.msg).toMatch(/classifier\.yaml:1: beta/);
      expect(await classifier.metric("kvmgov_config_last_reload_successful")).toBe(0);
      await publishTicks("reload", 1, BETA + 1);
      expect(await plane.redis.smembers("kvmgov:{reload}:scientific")).toEqual([guestOf("reload", 1)]);

      writeFileSync(configFile, "beta: 0\n");
      classifier.signal("SIGHUP");
      await classifier.event("reloaded");
      expect(await classifier.metric("kvmgov_config_last_reload_successful")).toBe(1);
      await publishTicks("reloaded", 1, 1);
      expect(await plane.redis.smembers("kvmgov:{reloaded}:scientific")).toEqual([guestOf("reloaded", 1)]);
    });
  });

  describe("the end", () => {
    it("SIGTERM stops it cleanly", async () => {
      expect(await classifier.stop()).toBe(0);
    });
  });
});
