/** Everything that a chaos test runs: machines, servers, classifiers, hosts, and the way to take it all down. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { GroupOptions, HostMessage } from "./messages.ts";
import { Network } from "./network.ts";
import type { Place } from "./network.ts";
import { Classifier, HostGroup } from "./processes.ts";
import { PASSWORD, SENTINEL_NAME, startNatsNodes, startWatchedNodes, stopAll, urlOf } from "./servers.ts";
import type { Node, WatchedNodes } from "./servers.ts";
import { SlowProxy } from "./slow-proxy.ts";

export interface StageOptions {
  seed: number;
  periodMs: number;
  planTtlMs: number;
  beta: number;
  /** As root: machines that can be cut off. */
  isNamespaced: boolean;
}

export const CLASSIFIERS = 3;
/** Hosts of each group: those that are never cut off, those that are, and those whose way to NATS is slow at times. */
export const GROUPS = { steady: 12, cut: 6, slow: 6 } as const;
export type GroupName = keyof typeof GROUPS;
const HOSTS = Object.values(GROUPS).reduce((sum, size) => sum + size, 0);
const SILENCE_MS = 500;
const MINIMUM_VCPU_CORES = 0.05;
export const HOST = { guests: 4, vcpus: 2, cpus: 6 } as const;

export interface Stage {
  network: Network;
  nats: Node[];
  watched: WatchedNodes;
  classifiers: Classifier[];
  groups: Map<GroupName, HostGroup>;
  proxies: SlowProxy[];
  /** Names of the hosts of each group. */
  hosts: ReadonlyMap<string, GroupName>;
  stop(): Promise<void>;
}

/** @param hear what the hosts say, from now on */
export async function setStage(options: StageOptions, hear: (message: HostMessage) => void): Promise<Stage> {
  const undo: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    // In the order opposite to their beginning, also where one does not end well.
    const failed: unknown[] = [];
    for (const each of undo.splice(0).toReversed())
      await each().catch((error: unknown) => failed.push(error));
    if (failed.length > 0) throw new AggregateError(failed, "the stage could not be taken down");
  };
  try {
    const dir = await mkdtemp(path.join(tmpdir(), "kvmgov-chaos-"));
    undo.push(() => rm(dir, { recursive: true }));
    const network = options.isNamespaced ? await Network.namespaces() : Network.loopback();
    undo.push(() => network.close());
    const natsPlaces = await places(network, ["nats-1", "nats-2", "nats-3"]);
    const nats = await startNatsNodes(dir, natsPlaces);
    undo.push(() => stopAll(nats));
    const redisPlaces = await places(network, ["redis-1", "redis-2"]);
    const watched = await startWatchedNodes(dir, redisPlaces, natsPlaces);
    undo.push(() => stopAll([...watched.redis, ...watched.sentinels]));
    const classifiers: Classifier[] = [];
    undo.push(() => Promise.all(classifiers.map((each) => each.kill())));
    const env = classifierEnv(options, nats, watched);
    for (const place of await places(network, ["classifier-1", "classifier-2", "classifier-3"]))
      classifiers.push(await Classifier.start(place, env));
    const proxies: SlowProxy[] = [];
    undo.push(() => Promise.all(proxies.map((proxy) => proxy.close())));
    for (const [at, { place, server }] of nats.entries()) {
      const target = { address: place.address, port: server.port };
      proxies.push(await SlowProxy.start(network.ownAddress, target, options.seed + at));
    }
    const slowUrl = proxies.map(({ port }) => `nats://${network.ownAddress}:${port}`).join(",");
    const groups = new Map<GroupName, HostGroup>();
    undo.push(() => Promise.all([...groups.values()].map((group) => group.stop())));
    const hosts = new Map<string, GroupName>();
    let first = 0;
    for (const [name, size] of Object.entries(GROUPS) as [GroupName, number][]) {
      const own = Array.from({ length: size }, (_, n) => first + n);
      first += size;
      for (const n of own) hosts.set(`sim-${options.seed}-${n}`, name);
      const url = name === "slow" ? slowUrl : urlOf("nats", nats);
      const [place] = await places(network, [`hosts-${name}`]);
      if (place !== undefined) groups.set(name, new HostGroup(place, groupOptions(options, own, url), hear));
    }
    return { network, nats, watched, classifiers, groups, proxies, hosts, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function places(network: Network, names: readonly string[]): Promise<Place[]> {
  const made: Place[] = [];
  for (const name of names) made.push(await network.add(name));
  return made;
}

function classifierEnv(
  { periodMs, planTtlMs, beta }: StageOptions,
  nats: readonly Node[],
  { sentinels }: WatchedNodes,
): Record<string, string> {
  return {
    KVMGOV_NATS_URL: urlOf("nats", nats),
    KVMGOV_NATS_USER: "lab",
    KVMGOV_NATS_PASSWORD: PASSWORD,
    KVMGOV_REDIS_URL: urlOf("redis", sentinels),
    KVMGOV_REDIS_MODE: "sentinel",
    KVMGOV_REDIS_SENTINEL_NAME: SENTINEL_NAME,
    KVMGOV_REDIS_PASSWORD: PASSWORD,
    KVMGOV_STREAM_REPLICAS: "3",
    KVMGOV_SILENCE_MS: String(SILENCE_MS),
    // Quotas for all: floors and ceilings are amounts that can be checked.
    KVMGOV_PRESET: "paper",
    KVMGOV_BETA: String(beta),
    KVMGOV_CHECK_PERIOD_MS: String(periodMs),
    KVMGOV_PLAN_TTL_MS: String(planTtlMs),
    KVMGOV_MINIMUM_VCPU_CORES: String(MINIMUM_VCPU_CORES),
  };
}

function groupOptions(options: StageOptions, own: readonly number[], natsUrl: string): GroupOptions {
  const { seed, periodMs, planTtlMs } = options;
  return {
    ...HOST,
    natsUrl,
    password: PASSWORD,
    hosts: HOSTS,
    own,
    seed,
    periodMs,
    planTtlMs,
    minimumVcpuCores: MINIMUM_VCPU_CORES,
  };
}
