/** What is done to the servers and the network of a chaos test, and how it is undone. */
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../packages/lab/src/process.ts";
import type { Seeded } from "../support/seeded.ts";
import { isInStep, primaryOf } from "./servers.ts";
import type { Node } from "./servers.ts";
import type { GroupName, Stage } from "./stage.ts";

/** One fault, ready to strike. */
export interface Fault {
  kind: FaultKind;
  target: string;
  strike: () => Promise<void>;
  /** Also of one that has not struck, or not wholly. */
  heal: () => Promise<void>;
  /** Hosts of this group cannot be reached until it is healed: their recovery counts from then on. */
  cutGroup?: GroupName;
}

type Prepare = (stage: Stage, random: Seeded) => Promise<Omit<Fault, "kind">>;

export type FaultKind = keyof typeof KINDS;

export interface KindOfFault {
  what: string;
  /** Shortest and longest time for which it is in force, in seconds. */
  seconds: readonly [number, number];
  needsNamespaces: boolean;
  /** What it takes away: two at once must not be of the same. */
  layer: "classifier" | "nats" | "redis" | "hosts";
  prepare: Prepare;
}

const SLOW_MS_MAX = 400;
const FAILOVER_MS_MAX = 60_000;
/** For this long the primary commits what its replica does not hear of. */
const UNREPLICATED_MS = 2500;

type Act = "kill" | "freeze" | "cut";

/** What can be struck: a machine on the network, and the process on it. */
interface Struck {
  target: string;
  kill: () => Promise<void>;
  restart: () => Promise<void>;
  freeze: () => void;
  resume: () => void;
}

function faultOf(act: Act, { network }: Stage, struck: Struck): Omit<Fault, "kind"> {
  const { target, kill, restart, freeze, resume } = struck;
  switch (act) {
    case "kill":
      return { target, strike: kill, heal: restart };
    case "freeze":
      return { target, strike: async () => freeze(), heal: async () => resume() };
    case "cut":
      return { target, strike: () => network.cut(target), heal: () => network.heal(target) };
  }
}

function struckNode({ place, server }: Node): Struck {
  return {
    target: place.name,
    kill: () => server.kill(),
    restart: () => server.restart(),
    freeze: () => server.pause(),
    resume: () => server.resume(),
  };
}

function onClassifier(act: Act): Prepare {
  return async (stage, random) => {
    const one = random.pick(stage.classifiers);
    return faultOf(act, stage, {
      target: one.place.name,
      kill: () => one.kill(),
      restart: () => one.restart(),
      freeze: () => one.process.signal("SIGSTOP"),
      resume: () => one.process.signal("SIGCONT"),
    });
  };
}

function onNats(act: Act): Prepare {
  return async (stage, random) => faultOf(act, stage, struckNode(random.pick(stage.nats)));
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

function onRedis(act: Act): Prepare {
  return async (stage) => faultOf(act, stage, struckNode((await redisNodes(stage)).primary));
}

/** The primary commits what its replica does not hear of, and is killed. */
const unreplicated: Prepare = async (stage) => {
  const { network } = stage;
  const { primary, replica } = await redisNodes(stage);
  const names = [primary.place.name, replica.place.name] as const;
  await network.cutBetween(...names);
  await sleep(UNREPLICATED_MS);
  const heal = async (): Promise<void> => {
    await network.healBetween(...names);
    await primary.server.restart();
  };
  return { target: names[0], strike: () => primary.server.kill(), heal };
};

const cutHosts: Prepare = async ({ network }) => ({
  target: "hosts-cut",
  cutGroup: "cut",
  strike: () => network.cut("hosts-cut"),
  heal: () => network.heal("hosts-cut"),
});

const slowHosts: Prepare = async ({ proxies }) => {
  const setDelay = async (ms: number): Promise<void> => {
    for (const proxy of proxies) proxy.delayMsMax = ms;
  };
  return { target: "hosts-slow", strike: () => setDelay(SLOW_MS_MAX), heal: () => setDelay(0) };
};

export const KINDS = {
  "kill classifier": {
    what: "kill -9 of one of the three classifiers",
    seconds: [3, 6],
    needsNamespaces: false,
    layer: "classifier",
    prepare: onClassifier("kill"),
  },
  "freeze classifier": {
    what: "SIGSTOP of a classifier, then SIGCONT",
    seconds: [2, 6],
    needsNamespaces: false,
    layer: "classifier",
    prepare: onClassifier("freeze"),
  },
  "cut classifier": {
    what: "a classifier's machine cut off",
    seconds: [2, 6],
    needsNamespaces: true,
    layer: "classifier",
    prepare: onClassifier("cut"),
  },
  "kill nats": {
    what: "kill -9 of one of the three NATS servers",
    seconds: [3, 8],
    needsNamespaces: false,
    layer: "nats",
    prepare: onNats("kill"),
  },
  "freeze nats": {
    what: "SIGSTOP of a NATS server, then SIGCONT",
    seconds: [2, 8],
    needsNamespaces: false,
    layer: "nats",
    prepare: onNats("freeze"),
  },
  "cut nats": {
    what: "a NATS server's machine cut off, with the Sentinel on it",
    seconds: [4, 10],
    needsNamespaces: true,
    layer: "nats",
    prepare: onNats("cut"),
  },
  "kill redis": {
    what: "kill -9 of the Redis primary",
    seconds: [4, 8],
    needsNamespaces: false,
    layer: "redis",
    prepare: onRedis("kill"),
  },
  "freeze redis": {
    what: "SIGSTOP of the Redis primary, then SIGCONT",
    seconds: [2, 6],
    needsNamespaces: false,
    layer: "redis",
    prepare: onRedis("freeze"),
  },
  "cut redis": {
    what: "the Redis primary's machine cut off",
    seconds: [4, 8],
    needsNamespaces: true,
    layer: "redis",
    prepare: onRedis("cut"),
  },
  "kill unreplicated redis": {
    what: `the way from the Redis primary to its replica cut; kill -9 of the primary ${UNREPLICATED_MS / 1000} s later`,
    seconds: [4, 8],
    needsNamespaces: true,
    layer: "redis",
    prepare: unreplicated,
  },
  "cut hosts": {
    what: "six hosts cut off",
    seconds: [3, 14],
    needsNamespaces: true,
    layer: "hosts",
    prepare: cutHosts,
  },
  "slow hosts": {
    what: `each packet between six hosts and NATS held for up to ${SLOW_MS_MAX} ms`,
    seconds: [3, 6],
    needsNamespaces: false,
    layer: "hosts",
    prepare: slowHosts,
  },
} as const satisfies Record<string, KindOfFault>;
