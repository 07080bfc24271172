/** Today's classifier on what an older version left in real NATS and Redis: nothing begins anew, and nothing of a later one is touched. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it, jest } from "@jest/globals";
import { startNats, startRedis } from "@kvm-governor/lab";
import type { NatsServer, RedisServer } from "@kvm-governor/lab";
import { planSchema, sampleSchema } from "@kvm-governor/policy";
import type { Plan, Sample } from "@kvm-governor/policy";
import { withoutCredentials } from "@kvm-governor/service-kit";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { Redis } from "ioredis";
import { HOST, OLDER, olderBus, olderKeys, olderMessage, type Keys } from "../older/state.ts";
import { describeWith } from "../support/requirements.ts";
import { ServiceProcess, waitFor } from "../support/service-process.ts";

/** As the older version was set when it was captured. */
const BETA = 8;
const SETTINGS = {
  KVMGOV_BETA: String(BETA),
  KVMGOV_CHECK_PERIOD_MS: "500",
  KVMGOV_PLAN_TTL_MS: "60000",
};
const PLAN_KEY = `$KV.plans.${HOST}`;
const TICK_KEY = `kvmgov:{${HOST}}:tick`;

jest.setTimeout(60_000);

describeWith(["servers"], "after an older version", () => {
  let dir: string;
  let nats: NatsServer;
  let redisServer: RedisServer;
  let redis: Redis;
  let connection: NatsConnection;
  let classifier: ServiceProcess | undefined;

  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "kvmgov-older-"));
    nats = await startNats({ dir: path.join(dir, "nats") });
    redisServer = await startRedis({ dir: path.join(dir, "redis") });
    redis = new Redis(redisServer.url);
    connection = await connect({ servers: nats.url, user: nats.user, pass: nats.password });
  });
  afterEach(async () => {
    await classifier?.kill();
    redis.disconnect();
    await connection.close();
    await nats.server.stop();
    await redisServer.server.stop();
    await rm(dir, { recursive: true });
  });

  const publish = (subject: string, data: string): Promise<unknown> =>
    waitFor(`publishing on ${subject}`, 15_000, () =>
      jetstream(connection)
        .publish(subject, data)
        .catch(() => undefined),
    );

  /** Streams, consumers and last messages as they were. */
  async function fillBus(version: string): Promise<void> {
    const manager = await jetstreamManager(connection);
    for (const { config, consumers, last } of olderBus(version).streams) {
      await manager.streams.add(config);
      for (const consumer of consumers)
        if (consumer.durable_name !== undefined) await manager.consumers.add(config.name, consumer);
      for (const { subject, data } of last) await publish(subject, data);
    }
  }

  async function fillRedis(keys: Keys): Promise<void> {
    for (const [key, value] of Object.entries(keys))
      await (Array.isArray(value) ? redis.sadd(key, value) : redis.hset(key, value));
  }

  async function startClassifier({ preset }: Pick<Plan, "preset">): Promise<ServiceProcess> {
    classifier = await ServiceProcess.start("classifier", {
      KVMGOV_NATS_URL: nats.url,
      KVMGOV_NATS_USER: nats.user,
      KVMGOV_NATS_PASSWORD: nats.password,
      KVMGOV_REDIS_URL: withoutCredentials(redisServer.url),
      KVMGOV_REDIS_PASSWORD: redisServer.password,
      ...SETTINGS,
      KVMGOV_PRESET: preset,
    });
    return classifier;
  }

  /** What lies under the host's key in the bucket of plans. */
  async function publishedPlan(): Promise<string> {
    const found = await (
      await jetstreamManager(connection)
    ).streams.getMessage("KV_plans", {
      last_by_subj: PLAN_KEY,
    });
    return new TextDecoder().decode(found?.data);
  }

  /** Sends the host's next samples as it sent its last, and waits for the plan of the last of them. */
  async function goOn(version: string, ticks: number): Promise<Plan> {
    const { subject, data } = olderMessage(version, "kvmgov.v1.sample.");
    const last = sampleSchema.parse(JSON.parse(data));
    const after = (periods: number): Sample => ({
      ...last,
      sequence: last.sequence + periods * 500_000,
      wallTimeMs: last.wallTimeMs + periods * 500,
    });
    for (let at = 1; at <= ticks; at++) await publish(subject, JSON.stringify(after(at)));
    return waitFor("the plan of the last sample", 15_000, async () => {
      const plan = planSchema.parse(JSON.parse(await publishedPlan()));
      return plan.sequence === after(ticks).sequence ? plan : undefined;
    });
  }

  it.each(
    OLDER.flatMap((version) => [
      { version, redisHas: "all" },
      { version, redisHas: "nothing" },
    ]),
  )("$version goes on with lists and counts, where Redis has $redisHas", async ({ version, redisHas }) => {
    await fillBus(version);
    if (redisHas === "all") await fillRedis(olderKeys(version));
    const before = planSchema.parse(JSON.parse(await publishedPlan()));
    const service = await startClassifier(before);
    const said = (plan: Plan): unknown[] =>
      plan.guests.map(({ name, class: list, since, count }) => [name, list, since, count]);
    // One that rises crosses alpha each time, and moves when it did so more than beta times, those before included.
    const rising = before.guests.find(({ name }) => name === "rising")?.count ?? 0;
    expect(rising).toBeGreaterThan(0);
    const left = BETA - rising;
    const plan = await goOn(version, left);
    expect(said(plan)).toEqual(
      before.guests.map((g) => [g.name, g.class, g.since, g.name === "rising" ? BETA : 0]),
    );
    expect(plan.generation).toBeGreaterThanOrEqual(before.generation);
    expect(service.events("guest-moved")).toEqual([]);
    const moved = await goOn(version, left + 1);
    expect(moved.guests.map(({ name, class: list }) => [name, list])).toEqual([
      ["solver", "scientific"],
      ['web "a:b,c=d"', "service"],
      ["rising", "scientific"],
    ]);
    expect(service.events("guest-moved").map((line) => line["guest"])).toEqual(["rising"]);
    const bad = service.log.filter(({ level }) => level === "warn" || level === "error");
    expect(bad).toEqual([]);
    const page = await service.json(`/api/v1/hosts/${HOST}`);
    expect(page).toMatchObject({ body: { name: "vm", applied: { generation: before.generation } } });
  });

  it.each(["Redis", "NATS"])("leaves what a later version keeps in %s as it is", async (where) => {
    const [version = ""] = OLDER;
    await fillBus(version);
    const keys = olderKeys(version);
    const later = olderMessage(version, PLAN_KEY).data.replace('"schema":1', '"schema":2');
    if (where === "Redis") {
      await fillRedis(keys);
      await redis.hset(TICK_KEY, "plan", later);
    } else await publish(PLAN_KEY, later);
    const [found, published] = [await redis.hgetall(TICK_KEY), await publishedPlan()];
    const service = await startClassifier({ preset: "paper" });
    const { subject, data } = olderMessage(version, "kvmgov.v1.sample.");
    const sample = JSON.parse(data) as Sample;
    for (const at of [1, 2])
      await publish(subject, JSON.stringify({ ...sample, sequence: sample.sequence + at * 500_000 }));
    const series = 'kvmgov_messages_refused_total{kind="sample",reason="newer-version"}';
    await waitFor(
      "both are refused",
      15_000,
      async () => Number(await service.metric(series)) >= 2 || undefined,
    );
    expect(service.events("sample-refused")).toMatchObject([
      {
        host: HOST,
        reason: "newer-version",
        msg: expect.stringMatching(/version 2 .* must be upgraded first/),
      },
    ]);
    expect(await redis.hgetall(TICK_KEY)).toEqual(found);
    expect(await publishedPlan()).toBe(published);
  });
});
