/** What is done to the servers and the network of a chaos test, and how it is undone. */
import { until } from "../../packages/lab/src/process.ts";
import type { Seeded } from "../support/seeded.ts";
import { isInStep, primaryOf } from "./servers.ts";
import type { Node } from "./servers.ts";
import type { GroupName, Stage } from "./stage.ts";

/** One fault that is in force. */
export interface Fault {
  kind: FaultKind;
  /** What it struck. */
  target: string;
  heal: () => Promise<void>;
  /** Hosts of this group cannot be reached until it is healed: their recovery counts from then on. */
  cutGroup?: GroupName;
}

type Strike = (stage: Stage, random: Seeded) => Promise<Omit<Fault, "kind">>;

export type FaultKind = keyof typeof KINDS;

export interface KindOfFault {
  what: string;
  /** Shortest and longest time for which it is in force, in seconds. */
  seconds: readonly [number, number];
  needsNamespaces: boolean;
  /** What it takes away: two at once must not be of the same. */
  layer: "classifier" | "nats" | "redis" | "hosts";
  strike: Strike;
}

const SLOW_MS_MAX = 400;
const FAILOVER_MS_MAX = 60_000;
/** For this long the primary commits what its replica does not hear of. */
const UNREPLICATED_MS = 2500;

function onClassifier(act: "kill" | "freeze" | "cut"): Strike {
  return async ({ classifiers, network }, random) => {
    const one = random.pick(classifiers);
    const target = one.place.name;
    if (act === "kill") {
      await one.kill();
      return { target, heal: () => one.restart() };
    }
    if (act === "freeze") {
      one.process.signal("SIGSTOP");
      return { target, heal: async () => one.process.signal("SIGCONT") };
    }
    await network.cut(target);
    return { target, heal: () => network.heal(target) };
  };
}

function onNats(act: "kill" | "freeze" | "cut"): Strike {
  return async ({ nats, network }, random) => {
    const { place, server } = random.pick(nats);
    const target = place.name;
    if (act === "kill") {
      await server.kill();
      return { target, heal: () => server.restart() };
    }
    if (act === "freeze") {
      server.pause();
      return { target, heal: async () => server.resume() };
    }
    await network.cut(target);
    return { target, heal: () => network.heal(target) };
  };
}

/** The primary of the moment, and the other. */
async function redisNodes(stage: Stage): Promise<{ primary: Node; replica: Node }> {
  const { redis, sentinels } = stage.watched;
  const address = await until("a Sentinel that knows the primary", FAILOVER_MS_MAX, () =>
    primaryOf(sentinels),
  );
  const isPrimary = ({ place, server }: Node): boolean => address === `${place.address}:${server.port}`;
  const primary = redis.find(isPrimary);
  const replica = redis.find((node) => node !== primary);
  if (primary === undefined || replica === undefined) throw new RangeError(`${address} is no Redis of ours`);
  // Another one that fails before that is one failure more than a pair is made for.
  await until("a replica that follows", FAILOVER_MS_MAX, async () =>
    (await isInStep(replica)) ? true : undefined,
  );
  return { primary, replica };
}

function onRedis(act: "kill" | "freeze" | "cut" | "kill unreplicated"): Strike {
  return async (stage) => {
    const { network } = stage;
    const { primary, replica } = await redisNodes(stage);
    const target = primary.place.name;
    switch (act) {
      case "kill":
        await primary.server.kill();
        return { target, heal: () => primary.server.restart() };
      case "freeze":
        primary.server.pause();
        return { target, heal: async () => primary.server.resume() };
      case "cut":
        await network.cut(target);
        return { target, heal: () => network.heal(target) };
      case "kill unreplicated": {
        await network.cutBetween(target, replica.place.name);
        await new Promise((resolve) => setTimeout(resolve, UNREPLICATED_MS));
        await primary.server.kill();
        const heal = async (): Promise<void> => {
          await network.healBetween(target, replica.place.name);
          await primary.server.restart();
        };
        return { target, heal };
      }
    }
  };
}

const cutHosts: Strike = async ({ network }) => {
  await network.cut("hosts-cut");
  return { target: "hosts-cut", cutGroup: "cut", heal: () => network.heal("hosts-cut") };
};

const slowHosts: Strike = async ({ proxies }) => {
  for (const proxy of proxies) proxy.delayMsMax = SLOW_MS_MAX;
  return {
    target: "hosts-slow",
    heal: async () => {
      for (const proxy of proxies) proxy.delayMsMax = 0;
    },
  };
};

export const KINDS = {
  "kill classifier": {
    what: "kill -9 of one of the three classifiers",
    seconds: [3, 6],
    needsNamespaces: false,
    layer: "classifier",
    strike: onClassifier("kill"),
  },
  "freeze classifier": {
    what: "SIGSTOP of a classifier, then SIGCONT",
    seconds: [2, 6],
    needsNamespaces: false,
    layer: "classifier",
    strike: onClassifier("freeze"),
  },
  "cut classifier": {
    what: "a classifier's machine cut off",
    seconds: [2, 6],
    needsNamespaces: true,
    layer: "classifier",
    strike: onClassifier("cut"),
  },
  "kill nats": {
    what: "kill -9 of one of the three NATS servers",
    seconds: [3, 8],
    needsNamespaces: false,
    layer: "nats",
    strike: onNats("kill"),
  },
  "freeze nats": {
    what: "SIGSTOP of a NATS server, then SIGCONT",
    seconds: [2, 8],
    needsNamespaces: false,
    layer: "nats",
    strike: onNats("freeze"),
  },
  "cut nats": {
    what: "a NATS server's machine cut off, with the Sentinel on it",
    seconds: [4, 10],
    needsNamespaces: true,
    layer: "nats",
    strike: onNats("cut"),
  },
  "kill redis": {
    what: "kill -9 of the Redis primary",
    seconds: [4, 8],
    needsNamespaces: false,
    layer: "redis",
    strike: onRedis("kill"),
  },
  "freeze redis": {
    what: "SIGSTOP of the Redis primary, then SIGCONT",
    seconds: [2, 6],
    needsNamespaces: false,
    layer: "redis",
    strike: onRedis("freeze"),
  },
  "cut redis": {
    what: "the Redis primary's machine cut off",
    seconds: [4, 8],
    needsNamespaces: true,
    layer: "redis",
    strike: onRedis("cut"),
  },
  "kill unreplicated redis": {
    what: `the way from the Redis primary to its replica cut; kill -9 of the primary ${UNREPLICATED_MS / 1000} s later`,
    seconds: [4, 8],
    needsNamespaces: true,
    layer: "redis",
    strike: onRedis("kill unreplicated"),
  },
  "cut hosts": {
    what: "six hosts cut off",
    seconds: [3, 14],
    needsNamespaces: true,
    layer: "hosts",
    strike: cutHosts,
  },
  "slow hosts": {
    what: `each packet between six hosts and NATS held for up to ${SLOW_MS_MAX} ms`,
    seconds: [3, 6],
    needsNamespaces: false,
    layer: "hosts",
    strike: slowHosts,
  },
} as const satisfies Record<string, KindOfFault>;
