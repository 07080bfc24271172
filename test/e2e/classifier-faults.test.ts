/**
 * The classifier when what it needs goes away: every sample is counted once, nothing that was committed is lost, and
 * the readiness page says what it waits for. The guest is busy in every sample and beta is out of reach, so its crossing
 * count is the number of samples that were decided on.
 */
import { afterAll, beforeAll, expect, it, jest } from "@jest/globals";
import type { Sample } from "@kvm-governor/policy";
import { guestSample, sampleOf, uuidOn } from "../../services/classifier/src/testing/samples.ts";
import { ControlPlane } from "../support/control-plane.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";
import type { ServiceProcess } from "../support/service-process.ts";

const env = { KVMGOV_BETA: "1000000", KVMGOV_PLAN_TTL_MS: "3600000" };
const busy = (host: string, tick: number): Sample =>
  sampleOf(host, tick, [{ ...guestSample(1, { run: 1 }), uuid: uuidOn(host, 1) }]);

async function publishTicks(plane: ControlPlane, host: string, from: number, to: number): Promise<void> {
  for (let tick = from; tick <= to; tick++) await plane.publish("sample", host, busy(host, tick));
}

const allCommitted = (plane: ControlPlane, host: string, tick: number): Promise<void> =>
  plane.committed(host, busy(host, tick).sequence, 30_000);

/** Crossing count and number of commits: both are the number of samples decided on. */
async function counted(plane: ControlPlane, host: string): Promise<{ count: number; commits: number }> {
  const count = await plane.redis.hget(`kvmgov:{${host}}:guest:${uuidOn(host, 1)}`, "count");
  const commits = await plane.redis.hget(`kvmgov:{${host}}:tick`, "version");
  return { count: Number(count), commits: Number(commits) };
}

async function becomes(classifier: ServiceProcess, part: string, ok: boolean): Promise<void> {
  await waitFor(`${part} ${ok ? "up" : "down"}`, 15_000, async () => {
    const page = await classifier.ready();
    return page.parts[part]?.ok === ok && page.status === (ok ? 200 : 503) ? true : undefined;
  });
}

jest.setTimeout(60_000);

describeWith(["servers"], "servers that go away", () => {
  let plane: ControlPlane;
  let classifier: ServiceProcess;

  beforeAll(async () => {
    plane = await ControlPlane.start();
    classifier = await plane.classifier(env);
  }, 60_000);
  afterAll(() => plane.stop());

  it("Redis frozen, then killed, then back: no sample lost, none counted twice", async () => {
    const host = "redis-away";
    await publishTicks(plane, host, 1, 10);
    await allCommitted(plane, host, 10);
    plane.redisServer.server.pause();
    await publishTicks(plane, host, 11, 20);
    await becomes(classifier, "redis", false);
    expect(await classifier.metric("kvmgov_redis_up")).toBe(0);
    plane.redisServer.server.resume();
    await allCommitted(plane, host, 20);
    await becomes(classifier, "redis", true);
    expect(await counted(plane, host)).toEqual({ count: 20, commits: 20 });

    await publishTicks(plane, host, 21, 25);
    await plane.redisServer.server.kill();
    await publishTicks(plane, host, 26, 30);
    await becomes(classifier, "redis", false);
    expect((await classifier.json("/api/v1/hosts")).status).toBe(503);
    await plane.redisServer.server.restart();
    await allCommitted(plane, host, 30);
    await becomes(classifier, "redis", true);
    expect(await counted(plane, host)).toEqual({ count: 30, commits: 30 });
    expect((await plane.plan(host))?.guests[0]?.count).toBe(30);
  }, 60_000);

  it("NATS restarted: the lists stay, and new samples are counted on", async () => {
    const host = "nats-away";
    await publishTicks(plane, host, 1, 10);
    await allCommitted(plane, host, 10);
    await plane.nats.server.kill();
    await becomes(classifier, "nats", false);
    expect(await plane.redis.hget(`kvmgov:{${host}}:tick`, "version")).toBe("10");
    await plane.nats.server.restart();
    await becomes(classifier, "nats", true);
    await publishTicks(plane, host, 11, 20);
    await allCommitted(plane, host, 20);
    expect(await counted(plane, host)).toEqual({ count: 20, commits: 20 });
    await waitFor("the plan", 5000, async () =>
      (await plane.plan(host))?.guests[0]?.count === 20 ? true : undefined,
    );
  }, 60_000);

  it("values in Redis destroyed by somebody: named, and rebuilt from the published plan", async () => {
    const host = "corrupt";
    await publishTicks(plane, host, 1, 5);
    await allCommitted(plane, host, 5);
    await waitFor("the plan", 5000, async () =>
      (await plane.plan(host))?.guests[0]?.count === 5 ? true : undefined,
    );
    await plane.redis.hset(`kvmgov:{${host}}:tick`, "version", "x");
    await plane.redis.hset(`kvmgov:{${host}}:guest:${uuidOn(host, 1)}`, "count", "-7");
    await publishTicks(plane, host, 6, 6);
    await waitFor("the sixth tick", 5000, async () =>
      (await counted(plane, host)).count === 6 ? true : undefined,
    );
    expect(await classifier.event("stored-state-corrupt")).toMatchObject({ host, level: "error" });
    expect(await classifier.metric('kvmgov_stored_state_corrupt_total{source="store"}')).toBe(1);
  });

  it("everything in Redis lost: lists, counts and generations go on from the published plan", async () => {
    const host = "lost";
    await publishTicks(plane, host, 1, 5);
    await allCommitted(plane, host, 5);
    const before = await waitFor("the plan", 5000, async () => {
      const plan = await plane.plan(host);
      return plan?.guests[0]?.count === 5 ? plan : undefined;
    });
    await plane.redis.flushall();
    await publishTicks(plane, host, 6, 6);
    await waitFor("the sixth tick", 5000, async () =>
      (await counted(plane, host)).count === 6 ? true : undefined,
    );
    expect((await plane.plan(host))?.generation).toBe(before.generation);
  });

  it("a classifier frozen in the middle, whose samples another took over: none is counted twice", async () => {
    const host = "frozen";
    await publishTicks(plane, host, 1, 5);
    await allCommitted(plane, host, 5);
    classifier.signal("SIGSTOP");
    await publishTicks(plane, host, 6, 10);
    const second = await plane.classifier(env);
    try {
      await allCommitted(plane, host, 10);
    } finally {
      classifier.signal("SIGCONT");
    }
    // What it remembers is older than what is stored: it must meet the conflict, read again, and find nothing to do.
    await waitFor("a conflict", 10_000, async () =>
      ((await classifier.metric("kvmgov_commit_conflicts_total")) ?? 0) > 0 ? true : undefined,
    );
    await publishTicks(plane, host, 11, 12);
    await allCommitted(plane, host, 12);
    // Two at work on one host may overtake each other: what comes late is not counted, and nothing is counted twice.
    const { count, commits } = await counted(plane, host);
    expect(count).toBe(commits);
    expect(commits).toBeLessThanOrEqual(12);
    expect(commits).toBeGreaterThan(5);
    expect(await second.metric('kvmgov_decisions_total{outcome="decided"}')).toBeGreaterThan(0);
    await second.stop();
  }, 60_000);

  it("nothing there at the start: it waits, says for what, and begins", async () => {
    await plane.nats.server.kill();
    await plane.redisServer.server.kill();
    const early = await plane.classifier(env);
    expect(await early.ready()).toMatchObject({
      status: 503,
      parts: { nats: { ok: false }, redis: { ok: false } },
    });
    await plane.redisServer.server.restart();
    await becomesUp(early, "redis");
    expect(await early.ready()).toMatchObject({
      status: 503,
      parts: { nats: { ok: false }, redis: { ok: true } },
    });
    await plane.nats.server.restart();
    await becomes(early, "nats", true);
    await publishTicks(plane, "early", 1, 3);
    await allCommitted(plane, "early", 3);
    expect(await early.stop()).toBe(0);
  }, 60_000);

  async function becomesUp(service: ServiceProcess, part: string): Promise<void> {
    await waitFor(part, 15_000, async () =>
      (await service.ready()).parts[part]?.ok === true ? true : undefined,
    );
  }
});

describeWith(["servers"], "a classifier killed between commit and publication", () => {
  let plane: ControlPlane;

  beforeAll(async () => {
    // The user `mute` may do everything but put plans: so the kill comes certainly after the commit and before the put.
    plane = await ControlPlane.start({
      user: "lab",
      password: "lab",
      authorization: `authorization { users = [
        { user: lab, password: lab }
        { user: mute, password: mute, permissions: { publish: { deny: ["$KV.plans.>"] } } }
      ] }`,
    });
  }, 60_000);
  afterAll(() => plane.stop());

  it("the sample is delivered again, its plan published, and the sample not counted again", async () => {
    const host = "killed";
    const mute = await plane.classifier({ ...env, KVMGOV_NATS_USER: "mute", KVMGOV_NATS_PASSWORD: "mute" });
    await publishTicks(plane, host, 1, 1);
    await allCommitted(plane, host, 1);
    await waitFor("a failed put", 10_000, async () =>
      ((await mute.metric('kvmgov_plan_puts_total{outcome="failed"}')) ?? 0) > 0 ? true : undefined,
    );
    expect(await plane.plan(host)).toBeUndefined();
    await mute.kill();

    const heir = await plane.classifier(env);
    const plan = await waitFor("the plan", 30_000, () => plane.plan(host));
    expect(plan).toMatchObject({ generation: 1, sequence: busy(host, 1).sequence });
    expect(await counted(plane, host)).toEqual({ count: 1, commits: 1 });
    expect(await heir.metric('kvmgov_decisions_total{outcome="repeated"}')).toBe(1);
    expect(await heir.metric('kvmgov_decisions_total{outcome="decided"}')).toBeUndefined();
  }, 60_000);
});
