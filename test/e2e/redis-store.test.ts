/** The store of lists and counts on a real redis-server. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { startRedis } from "@kvm-governor/lab";
import type { RedisServer } from "@kvm-governor/lab";
import fc from "fast-check";
import { Redis } from "ioredis";
import { carried, describeGuestPlaces } from "../../services/classifier/src/store/guest-places.cases.ts";
import { RedisGuestPlaces } from "../../services/classifier/src/store/redis-guest-places.ts";
import { MemoryStore } from "../../services/classifier/src/store/memory-store.ts";
import { RedisStore } from "../../services/classifier/src/store/redis-store.ts";
import { describeStore, mustCommit } from "../../services/classifier/src/store/store.cases.ts";
import type { Store, StoredHost } from "../../services/classifier/src/store/store.ts";
import { CorruptStateError, StoreUnavailableError } from "../../services/classifier/src/store/store.ts";
import { OTHER_BOOT, uuidOf } from "../../services/classifier/src/testing/samples.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";
import { anyState, guestState, hostState } from "../../services/classifier/src/testing/states.ts";

/** Steps of several writers, some of whom decide from a picture that is no longer the last one. */
const steps = fc.array(
  fc.record({ host: fc.constantFrom("m1", "m2"), writer: fc.nat(2), rereads: fc.boolean(), next: anyState }),
  { maxLength: 12 },
);

jest.setTimeout(60_000);

describeWith(["servers"], "the store in Redis", () => {
  let dir = "";
  let server: RedisServer;
  let redis: Redis;
  let store: RedisStore;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "kvmgov-redis-store-"));
    server = await startRedis({ dir });
    redis = new Redis(server.url);
    // Each store of these tests listens on the one client.
    redis.setMaxListeners(0);
    store = new RedisStore(redis);
  }, 60_000);

  afterAll(async () => {
    redis.disconnect();
    await server.server.stop();
    await rm(dir, { recursive: true });
  });

  describeStore("redis", () => store);
  describeGuestPlaces("redis", () => new RedisGuestPlaces(redis), randomUUID);

  describe("places of guests in Redis", () => {
    it("go by themselves when a guest that left appears nowhere", async () => {
      const [places, uuid] = [new RedisGuestPlaces(redis), randomUUID()];
      await places.arrive(uuid, "a");
      expect(await redis.pttl(`kvmgov:guest:{${uuid}}`)).toBe(-1);
      await places.leave(uuid, "a", carried, 200);
      await waitFor("the end of the key", 5000, async () =>
        (await redis.exists(`kvmgov:guest:{${uuid}}`)) === 0 ? true : undefined,
      );
      await places.leave(uuid, "a", carried, 200);
      await places.take(uuid, "b", "a", carried);
      expect(await redis.pttl(`kvmgov:guest:{${uuid}}`)).toBe(-1);
    });

    it("that somebody else wrote are named, and written over", async () => {
      const [places, uuid] = [new RedisGuestPlaces(redis), randomUUID()];
      await redis.hset(`kvmgov:guest:{${uuid}}`, { host: "a", from: "a", carried: '{"count":-1}' });
      const place = await places.arrive(uuid, "b");
      expect(place).toMatchObject({
        host: "a",
        problem: expect.stringContaining(`carried of guest ${uuid}`),
      });
      expect(place?.carried).toBeUndefined();
      const other = randomUUID();
      await redis.set(`kvmgov:guest:{${other}}`, "x");
      expect(await places.arrive(other, "b")).toBeUndefined();
      expect(await places.arrive(other, "b")).toEqual({ host: "b" });
      await places.take(uuid, "b", "a", undefined);
      expect(await places.arrive(uuid, "b")).toEqual({ host: "b" });
    });
  });

  describe("one node of a cluster, which refuses commands over keys of two slots", () => {
    let node: RedisServer;
    let client: Redis;

    beforeAll(async () => {
      node = await startRedis({ dir: join(dir, "cluster"), config: "cluster-enabled yes" });
      client = new Redis(node.url);
      client.setMaxListeners(0);
      await client.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
      await waitFor("the cluster", 10_000, isUp);
      await expect(client.sinter("a", "b")).rejects.toThrow(/CROSSSLOT/);
    }, 60_000);

    afterAll(async () => {
      client.disconnect();
      await node.server.stop();
    });

    async function isUp(): Promise<true | undefined> {
      return String(await client.call("CLUSTER", "INFO")).includes("cluster_state:ok") ? true : undefined;
    }

    describeStore("redis-cluster", () => new RedisStore(client));
  });

  describe("the layout in Redis", () => {
    it("is the documented one", async () => {
      const guests = { [uuidOf(1)]: guestState(), [uuidOf(2)]: guestState({ class: "scientific" }) };
      await mustCommit(store, "layout", await store.read("layout"), hostState(1, guests));
      const keys = (await redis.keys("kvmgov:{layout}:*")).sort();
      expect(keys).toEqual([
        `kvmgov:{layout}:guest:${uuidOf(1)}`,
        `kvmgov:{layout}:guest:${uuidOf(2)}`,
        "kvmgov:{layout}:scientific",
        "kvmgov:{layout}:service",
        "kvmgov:{layout}:tick",
      ]);
    });

    it("writes everything again after somebody took away the hash of a guest", async () => {
      const guests = (count: number) => ({ [uuidOf(1)]: guestState({ count }), [uuidOf(2)]: guestState() });
      let base = await mustCommit(store, "hole", await store.read("hole"), hostState(1, guests(0)));
      await redis.del(`kvmgov:{hole}:guest:${uuidOf(1)}`);
      base = await mustCommit(store, "hole", base, hostState(2, guests(1)));
      expect((await store.read("hole")).problem?.message).toMatch(/guest/);
      await mustCommit(store, "hole", base, hostState(3, guests(2)));
      expect((await store.read("hole")).state).toEqual(hostState(3, guests(2)));
    });

    it("leaves nothing of a guest that departed", async () => {
      const base = await mustCommit(
        store,
        "gone",
        await store.read("gone"),
        hostState(1, { [uuidOf(1)]: guestState() }),
      );
      await mustCommit(store, "gone", base, hostState(2, {}));
      expect(await redis.keys("kvmgov:{gone}:*")).toEqual(["kvmgov:{gone}:tick"]);
    });

    it("writes changed guests alone", async () => {
      const guests = { [uuidOf(1)]: guestState(), [uuidOf(2)]: guestState() };
      const base = await mustCommit(store, "few", await store.read("few"), hostState(1, guests));
      await redis.hset(`kvmgov:{few}:guest:${uuidOf(2)}`, "name", "touched");
      await mustCommit(
        store,
        "few",
        base,
        hostState(2, { ...guests, [uuidOf(1)]: guestState({ count: 1 }) }),
      );
      expect(await redis.hget(`kvmgov:{few}:guest:${uuidOf(2)}`, "name")).toBe("touched");
      expect(await redis.hget(`kvmgov:{few}:guest:${uuidOf(1)}`, "count")).toBe("1");
    });

    it("commits in one round trip", async () => {
      const base = await mustCommit(
        store,
        "trip",
        await store.read("trip"),
        hostState(1, { [uuidOf(1)]: guestState() }),
      );
      const before = await commandsProcessed();
      await mustCommit(store, "trip", base, hostState(2, { [uuidOf(1)]: guestState({ count: 1 }) }));
      expect((await commandsProcessed()) - before).toBe(1);
    });
  });

  /** Commands of clients so far, less the INFO that asks. */
  async function commandsProcessed(): Promise<number> {
    const stats = await redis.info("commandstats");
    const calls = [...stats.matchAll(/cmdstat_(\w+):calls=(\d+)/g)];
    return calls
      .filter(([, name]) => name === "eval" || name === "evalsha" || name === "multi" || name === "get")
      .reduce((sum, [, , count]) => sum + Number(count), 0);
  }

  describe("two classifiers on one Redis", () => {
    it("commit a tick exactly once, however they race", async () => {
      const others = await Promise.all(
        Array.from({ length: 4 }, async () => new RedisStore(await connected())),
      );
      let base = await store.read("race");
      for (let tick = 1; tick <= 50; tick++) {
        const next = hostState(tick, { [uuidOf(1)]: guestState({ count: tick }) });
        const results = await Promise.all(others.map((other) => other.commit("race", base, next)));
        const won = results.filter((result) => result.kind === "committed");
        expect(won).toHaveLength(1);
        base = await store.read("race");
        expect(base).toMatchObject({ version: tick, state: next });
      }
    });

    it("read whole ticks only, while the other one writes", async () => {
      const writer = new RedisStore(await connected());
      let base = await writer.read("torn");
      let written = 0;
      const writing = (async () => {
        for (written = 1; written <= 300; written++) {
          const guests = Object.fromEntries(
            [1, 2, 3].map((n) => [uuidOf(n), guestState({ count: written })]),
          );
          base = await mustCommit(writer, "torn", base, hostState(written, guests));
          // Full speed would starve the reader; ticks are at least 50 ms apart.
          await sleep(written % 3);
        }
      })();
      while (written <= 300) {
        const { state } = await store.read("torn");
        const counts = Object.values(state?.guests ?? {}).map(({ count }) => count);
        expect(counts).toEqual(counts.map(() => state?.sequence));
      }
      await writing;
    });

    async function connected(): Promise<Redis> {
      const other = redis.duplicate();
      others.push(other);
      await other.ping();
      return other;
    }
    const others: Redis[] = [];
    afterAll(() => others.forEach((other) => other.disconnect()));
  });

  describe("values that are not ours", () => {
    const guests = { [uuidOf(1)]: guestState(), [uuidOf(2)]: guestState({ class: "scientific" }) };
    const key = (rest: string): string => `kvmgov:{broken}:${rest}`;
    const guestKey = key(`guest:${uuidOf(1)}`);

    const plant: [string, (redis: Redis) => Promise<unknown>, RegExp][] = [
      ["a count below 0", (client) => client.hset(guestKey, "count", "-1"), /guest .*0001: count/],
      ["a count that is text", (client) => client.hset(guestKey, "count", "many"), /guest .*0001: count/],
      [
        "a class that does not exist",
        (client) => client.hset(guestKey, "class", "royal"),
        /guest .*0001: class/,
      ],
      ["a field missing", (client) => client.hdel(guestKey, "since"), /guest .*0001: since/],
      ["a hash missing", (client) => client.del(guestKey), /guest .*0001 has no hash/],
      ["a guest that is a string", (client) => client.set(guestKey, "x"), /guest:.*0001: WRONGTYPE/],
      ["a guest in both lists", (client) => client.sadd(key("scientific"), uuidOf(1)), /in both lists/],
      [
        "a guest in the other list",
        (client) => client.smove(key("service"), key("scientific"), uuidOf(1)),
        /in the list scientific/,
      ],
      ["no UUID in a list", (client) => client.sadd(key("service"), "x"), /guest x has no hash/],
      ["a list that is a string", (client) => client.set(key("service"), "x"), /broken}:service: WRONGTYPE/],
      [
        "a tick that is a list",
        (client) => client.del(key("tick")).then(() => client.lpush(key("tick"), "x")),
        /broken}:tick: WRONGTYPE/,
      ],
      ["no tick", (client) => client.del(key("tick")), /lists without a tick/],
      [
        "a version that is no number",
        (client) => client.hset(key("tick"), "version", "x"),
        /version of the tick is "x"/,
      ],
      ["a plan that is no JSON", (client) => client.hset(key("tick"), "plan", "{"), /plan: is not JSON/],
      ["a plan of another shape", (client) => client.hset(key("tick"), "plan", "{}"), /plan: schema/],
      ["no boot id", (client) => client.hdel(key("tick"), "bootId"), /bootId/],
    ];

    it.each(plant)(
      "%s: named, and replaced as a whole by the next commit",
      async (_what, corrupt, message) => {
        await redis.flushall();
        await mustCommit(store, "broken", await store.read("broken"), hostState(1, guests));
        await corrupt(redis);
        const stored = await store.read("broken");
        expect(stored.state).toBeUndefined();
        expect(stored.problem).toBeInstanceOf(CorruptStateError);
        expect(stored.problem?.message).toMatch(message);

        const next = hostState(2, {
          [uuidOf(1)]: guestState({ count: 2 }),
          [uuidOf(3)]: guestState({ class: "scientific" }),
        });
        const after = await mustCommit(store, "broken", stored, next);
        expect(await store.read("broken")).toEqual(after);
        expect(after.state).toEqual(next);
        expect(await store.lists("broken")).toEqual({ service: [uuidOf(1)], scientific: [uuidOf(3)] });
      },
    );

    it("a key in the place of a guest that is yet to come is replaced", async () => {
      await redis.set(`kvmgov:{squatted}:guest:${uuidOf(1)}`, "x");
      const state = hostState(1, { [uuidOf(1)]: guestState() });
      await mustCommit(store, "squatted", await store.read("squatted"), state);
      expect((await store.read("squatted")).state).toEqual(state);
    });

    it("an index of hosts that is a string is made anew", async () => {
      await redis.set("kvmgov:hosts", "x");
      const other = new RedisStore(redis);
      await mustCommit(other, "indexed", await other.read("indexed"), hostState(1, {}));
      expect(await other.hosts()).toContain("indexed");
    });
  });

  describe("Redis away", () => {
    it("is an error of its own, and the commit can be repeated", async () => {
      const client = new Redis(server.url, {
        enableOfflineQueue: false,
        maxRetriesPerRequest: 0,
        commandTimeout: 300,
      });
      await new Promise((resolve) => client.once("ready", resolve));
      try {
        const impatient = new RedisStore(client);
        const base = await mustCommit(impatient, "frozen", await impatient.read("frozen"), hostState(1, {}));
        const next = hostState(2, { [uuidOf(1)]: guestState() });
        server.server.pause();
        await expect(impatient.commit("frozen", base, next)).rejects.toThrow(StoreUnavailableError);
        server.server.resume();
        // The commit that lost its answer was carried out: the same one again meets a conflict, and reading shows it.
        await client.ping();
        expect(await impatient.commit("frozen", base, next)).toEqual({ kind: "conflict" });
        expect((await store.read("frozen")).state).toEqual(next);
      } finally {
        server.server.resume();
        client.disconnect();
      }
    });
  });

  describe("against the model", () => {
    it("Redis and memory do the same, whoever writes what in whatever order", async () => {
      await fc.assert(
        fc.asyncProperty(steps, async (sequence) => {
          await redis.flushall();
          const model = new MemoryStore();
          const real = new RedisStore(redis);
          const pictures = new Map<string, [StoredHost, StoredHost]>();
          for (const { host, writer, rereads, next } of sequence) {
            const who = `${writer} ${host}`;
            const base = (rereads ? undefined : pictures.get(who)) ?? [
              await model.read(host),
              await real.read(host),
            ];
            expect(base[1]).toEqual(normal(base[0], base[1]));
            const results = [
              await model.commit(host, base[0], next),
              await real.commit(host, base[1], next),
            ] as const;
            expect(results[1].kind).toBe(results[0].kind);
            pictures.set(who, base);
            if (results[0].kind === "committed" && results[1].kind === "committed") {
              pictures.set(who, [results[0].stored, results[1].stored]);
            }
            await expectSame(model, real, host);
          }
        }),
        { numRuns: 150 },
      );
    }, 60_000);

    async function expectSame(model: Store, real: Store, host: string): Promise<void> {
      const [wanted, found] = [await model.read(host), await real.read(host)];
      expect(found).toEqual(normal(wanted, found));
      expect(await real.lists(host)).toEqual(await model.lists(host));
      expect(await real.hosts()).toEqual(await model.hosts());
    }

    /** The order of UUIDs is no promise. */
    function normal(wanted: StoredHost, found: StoredHost): StoredHost {
      expect(found.uuids.toSorted()).toEqual(wanted.uuids.toSorted());
      return { ...wanted, uuids: found.uuids };
    }

    it("has states of other boots among its steps", () => {
      expect(fc.sample(anyState, 200).some(({ bootId }) => bootId === OTHER_BOOT)).toBe(true);
    });
  });
});
