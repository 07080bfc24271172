/** The store on a Cluster, behind Sentinels through a failover, and over TLS with the least rights: real servers. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { startRedis, startRedisCluster, startWatchedRedis } from "@kvm-governor/lab";
import type { RedisCluster, RedisServer, WatchedRedis } from "@kvm-governor/lab";
import { Redis } from "ioredis";
import { createLogger, Readiness } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { carried, describeGuestPlaces } from "../../services/classifier/src/store/guest-places.cases.ts";
import type { RedisClient } from "../../services/classifier/src/store/redis-client.ts";
import { RedisGuestPlaces } from "../../services/classifier/src/store/redis-guest-places.ts";
import { redisConfigSchema } from "../../services/classifier/src/store/redis-config.ts";
import { RedisConnection } from "../../services/classifier/src/store/redis-connection.ts";
import { RedisStore } from "../../services/classifier/src/store/redis-store.ts";
import { describeStore, mustCommit } from "../../services/classifier/src/store/store.cases.ts";
import { uuidOf } from "../../services/classifier/src/testing/samples.ts";
import { guestState, hostState } from "../../services/classifier/src/testing/states.ts";
import { makeCertificates } from "../support/certificates.ts";
import { readDeployed, replaceOnce } from "../support/deployed.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";

jest.setTimeout(60_000);

let dir = "";
const connections: RedisConnection[] = [];

/** As the classifier connects, from its configuration. */
async function connect(config: object): Promise<{ store: RedisStore; connection: RedisConnection }> {
  const connection = new RedisConnection({
    config: redisConfigSchema.parse(config),
    log: createLogger("test", "silent"),
    readiness: new Readiness(),
    registry: new Registry(),
  });
  connections.push(connection);
  connection.redis.setMaxListeners(0);
  await waitFor("Redis", 20_000, () => connection.up || undefined);
  return { store: new RedisStore(connection.redis), connection };
}

const hostNames = Array.from({ length: 30 }, (_, at) => `host-${at}`);

describeWith(["servers"], "Redis with more than one server", () => {
  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "kvmgov-redis-"));
  });
  afterAll(async () => {
    for (const connection of connections) connection.close();
    await rm(dir, { recursive: true });
  });

  describe("a Cluster of three primaries", () => {
    let cluster: RedisCluster;
    let store: RedisStore;
    let client: RedisClient;

    beforeAll(async () => {
      cluster = await startRedisCluster(path.join(dir, "cluster"), 3);
      const connected = await connect({ redisUrl: cluster.url, redisMode: "cluster", redisPassword: "lab" });
      store = connected.store;
      client = connected.connection.redis;
    }, 60_000);
    afterAll(() => cluster.stop());

    describeStore("cluster of three", () => store);
    describeGuestPlaces("cluster of three", () => new RedisGuestPlaces(client), randomUUID);

    it("spreads hosts over the primaries, one host's keys on one of them", async () => {
      for (const host of hostNames) {
        await mustCommit(store, host, await store.read(host), hostState(1, { [uuidOf(1)]: guestState() }));
      }
      expect((await store.hosts()).filter((host) => hostNames.includes(host))).toHaveLength(hostNames.length);
      const sizes = await Promise.all(cluster.nodes.map(keysOf));
      for (const keys of sizes) expect(keys.length).toBeGreaterThan(3);
      const homes = hostNames.map(
        (host) => sizes.filter((keys) => keys.some((key) => key.includes(`{${host}}`))).length,
      );
      expect(new Set(homes)).toEqual(new Set([1]));
    });

    it("goes on for the hosts of the primaries that live", async () => {
      const dead = cluster.nodes[2];
      const keys = await Promise.all(cluster.nodes.map(keysOf));
      const homeOf = (host: string): number =>
        keys.findIndex((names) => names.some((key) => key.includes(`{${host}}`)));
      await dead?.server.kill();
      const alive = hostNames.filter((host) => homeOf(host) < 2);
      // With its coverage gone a Cluster refuses everything, unless it is told otherwise: then nothing is half done.
      const results = await Promise.allSettled(alive.map((host) => store.read(host)));
      for (const result of results) {
        if (result.status === "fulfilled") expect(result.value.state).toBeDefined();
        else expect(String(result.reason)).toMatch(/StoreUnavailableError/);
      }
      await dead?.server.restart();
      await waitFor("the cluster again", 30_000, async () => {
        const read = await Promise.allSettled(hostNames.map((host) => store.read(host)));
        return (
          read.every((each) => each.status === "fulfilled" && each.value.state !== undefined) || undefined
        );
      });
    });
  });

  describe("a primary that Sentinels watch", () => {
    let watched: WatchedRedis;

    beforeAll(async () => {
      watched = await startWatchedRedis(path.join(dir, "watched"));
    }, 60_000);
    afterAll(() => watched.stop());

    it("is replaced when it dies: the lists are those that were committed, and commits go on", async () => {
      const { store } = await connect({
        redisUrl: watched.url,
        redisMode: "sentinel",
        redisSentinelName: watched.name,
        redisPassword: "lab",
      });
      let stored = await store.read("h1");
      for (let tick = 1; tick <= 5; tick++) {
        const next = hostState(tick, { [uuidOf(1)]: guestState({ count: tick }) });
        stored = await mustCommit(store, "h1", stored, next);
      }
      await waitFor("the replica", 10_000, async () =>
        (await keysOf(watched.replica)).length > 2 ? true : undefined,
      );
      await watched.primary.server.kill();
      const after = await waitFor("the new primary", 30_000, () => store.read("h1").catch(() => undefined));
      // Replication is asynchronous: the last commits may be missing, never one before them and never half of one.
      const sequence = after.state?.sequence ?? 0;
      expect(sequence).toBeGreaterThanOrEqual(1);
      expect(after.state?.guests[uuidOf(1)]?.count).toBe(sequence);
      expect(after.version).toBe(sequence);
      const next = hostState(9, { [uuidOf(1)]: guestState({ count: 9 }) });
      const last = await waitFor("a commit on the new primary", 20_000, () =>
        mustCommit(store, "h1", after, next).catch(() => undefined),
      );
      expect(last.version).toBe(sequence + 1);
      expect(await store.lists("h1")).toEqual({ service: [uuidOf(1)], scientific: [] });
    });
  });

  describe("TLS and a user with the least rights", () => {
    let server: RedisServer;
    let tlsPort = 0;

    beforeAll(async () => {
      makeCertificates(dir, "DNS:redis.test");
      const deployed = await readDeployed("deploy/redis/users.acl");
      // Without comments, as Redis reads it; the lab looks whether it is up as the default user.
      const acl = replaceOnce(
        deployed.replaceAll(/^#.*\n/gm, ""),
        "user default off",
        "user default on >lab -@all +ping",
      );
      await writeFile(path.join(dir, "users.acl"), acl.replaceAll(/>(\w+)-PASSWORD/g, ">$1-secret"));
      const probe = await startRedis({ dir: path.join(dir, "port") });
      tlsPort = probe.server.port;
      await probe.server.stop();
      const lines = [
        `tls-port ${tlsPort}`,
        `tls-cert-file ${dir}/server.pem`,
        `tls-key-file ${dir}/server.key`,
      ];
      lines.push(`tls-ca-cert-file ${dir}/ca.pem`, "tls-auth-clients yes");
      server = await startRedis({
        dir: path.join(dir, "tls"),
        config: lines.join("\n"),
        aclFile: path.join(dir, "users.acl"),
      });
    }, 60_000);
    afterAll(() => server?.server.stop());

    const config = (more: object = {}): object => ({
      redisUrl: `rediss://127.0.0.1:${tlsPort}`,
      redisUser: "classifier",
      redisPassword: "CLASSIFIER-secret",
      redisTls: {
        caFile: `${dir}/ca.pem`,
        certFile: `${dir}/client.pem`,
        keyFile: `${dir}/client.key`,
        serverName: "redis.test",
      },
      ...more,
    });

    it("is enough for all that the classifier does", async () => {
      const { store, connection } = await connect(config());
      const state = hostState(1, {
        [uuidOf(1)]: guestState(),
        [uuidOf(2)]: guestState({ class: "scientific" }),
      });
      const stored = await mustCommit(store, "tls", await store.read("tls"), state);
      expect(await store.read("tls")).toEqual(stored);
      await mustCommit(store, "tls", stored, hostState(2, { [uuidOf(2)]: guestState() }));
      expect(await store.lists("tls")).toEqual({ service: [uuidOf(2)], scientific: [] });
      expect(await store.hosts()).toContain("tls");
      const [places, uuid] = [new RedisGuestPlaces(connection.redis), randomUUID()];
      await places.leave(uuid, "tls", carried, 50);
      await waitFor("the end of what is carried over", 5000, async () =>
        (await places.arrive(uuid, "other")) === undefined ? true : undefined,
      );
      expect(await store.forget("tls", await store.read("tls"))).toBe(true);
    });

    it("is not enough for anything else", async () => {
      const { connection } = await connect(config());
      const { redis } = connection;
      await expect(redis.get("kvmgov:{tls}:tick")).rejects.toThrow(/NOPERM/);
      await expect(redis.set("other", "1")).rejects.toThrow(/NOPERM/);
      await expect(redis.hset("other", "a", "1")).rejects.toThrow(/NOPERM/);
      await expect(redis.call("FLUSHALL")).rejects.toThrow(/NOPERM/);
      await expect(redis.call("CONFIG", "GET", "*")).rejects.toThrow(/NOPERM/);
      await expect(redis.call("ACL", "LIST")).rejects.toThrow(/NOPERM/);
      await expect(redis.eval("return redis.call('SET', KEYS[1], '1')", 1, "kvmgov:x")).rejects.toThrow(
        /can't run this command/,
      );
    });

    it.each([
      ["a certificate of somebody else's authority", { redisTls: { caFile: "other" } }],
      ["another name than the certificate's", { redisTls: { serverName: "elsewhere.test" } }],
      ["no certificate of its own", { redisTls: { certFile: undefined, keyFile: undefined } }],
      ["a wrong password", { redisPassword: "wrong" }],
    ])("refuses to work with %s", async (_what, change) => {
      const base = config() as { redisTls: Record<string, string | undefined> };
      const given = "redisTls" in change ? { redisTls: { ...base.redisTls, ...change.redisTls } } : change;
      const tls = (given as { redisTls?: Record<string, string | undefined> }).redisTls;
      if (tls?.["caFile"] === "other") tls["caFile"] = `${dir}/other-ca.pem`;
      const readiness = new Readiness();
      const connection = new RedisConnection({
        config: redisConfigSchema.parse({ ...base, ...given }),
        log: createLogger("test", "silent"),
        readiness,
        registry: new Registry(),
      });
      connections.push(connection);
      await waitFor("the refusal", 10_000, () => {
        const detail = readiness.parts()["redis"]?.detail ?? "connecting";
        return /certificate|WRONGPASS|altnames|issuer|alert/i.test(detail) || undefined;
      });
      expect(connection.up).toBe(false);
    });
  });
});

async function keysOf({ url }: RedisServer): Promise<string[]> {
  const redis = new Redis(url);
  try {
    return (await redis.call("KEYS", "*")) as string[];
  } finally {
    redis.disconnect();
  }
}
