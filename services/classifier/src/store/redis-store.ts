/** The store in Redis 6.2 or later (one server, or the client of a cluster). Layout of keys: `keys.ts`. */
import { readFileSync } from "node:fs";
import type { HostState } from "@kvm-governor/policy";
import type { ChainableCommander } from "ioredis";
import type { RedisClient } from "./redis-client.ts";
import { HOSTS_KEY, guestKey, scientificKey, serviceKey, tickKey } from "./keys.ts";
import { commitArguments, heardAtOf, parseStored, tokenOf, versionOf } from "./stored-fields.ts";
import type { RawHost } from "./stored-fields.ts";
import {
  CorruptStateError,
  StoreUnavailableError,
  afterCommit,
  emptyHost,
  isPlanKept,
  stateChange,
} from "./store.ts";
import type { CommitOptions, CommitResult, HostLists, Store, StoredHost } from "./store.ts";

/** A picture is read in two steps; another classifier's commit between them makes a third and fourth necessary. */
const READ_ATTEMPTS = 20;

/** Answers of the script. */
const CONFLICT = 0;
const COMMITTED = 1;

const forgetScript = readFileSync(new URL("forgetHost.lua", import.meta.url), "utf8");
const commitScript = readFileSync(new URL("commitTick.lua", import.meta.url), "utf8");

/** Redis with our command on it: KEYS count, then KEYS and ARGV as the script's header says. */
type CommandingRedis = RedisClient & {
  commitTick(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<number>;
  forgetHost(keyCount: number, ...keysAndArguments: string[]): Promise<number>;
};

export class RedisStore implements Store {
  readonly #redis: CommandingRedis;
  /** Hosts that are in the index since the last connect: a server that comes back may have lost them. */
  readonly #indexed = new Set<string>();

  constructor(redis: RedisClient) {
    redis.defineCommand("commitTick", { lua: commitScript });
    redis.defineCommand("forgetHost", { lua: forgetScript });
    redis.on("ready", () => this.#indexed.clear());
    this.#redis = redis as CommandingRedis;
  }

  async read(host: string): Promise<StoredHost> {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      const stored = await this.#readOnce(host);
      if (stored !== undefined) return stored;
    }
    throw new StoreUnavailableError(`state of host ${host} changed under each of ${READ_ATTEMPTS} reads`);
  }

  async commit(
    host: string,
    base: StoredHost,
    next: HostState,
    options: CommitOptions = {},
  ): Promise<CommitResult> {
    const change = stateChange(base, next);
    const stored = afterCommit(base, next, options.heardAtMs);
    const keys = [
      tickKey(host),
      serviceKey(host),
      scientificKey(host),
      ...change.changed.map(({ uuid }) => guestKey(host, uuid)),
      ...change.counted.map(({ uuid }) => guestKey(host, uuid)),
      ...change.departed.map((uuid) => guestKey(host, uuid)),
    ];
    const mode = base.problem === undefined ? "" : "reset";
    const args = commitArguments(stored, change, storedPlan(base, next, options.planText));
    const done = await answered(async () => {
      if (!this.#indexed.has(host)) await this.#index(host);
      return this.#redis.commitTick(keys.length, ...keys, base.token, mode, ...args);
    });
    if (done === CONFLICT) return { kind: "conflict" };
    if (done === COMMITTED) return { kind: "committed", stored };
    // Somebody took away a guest's hash: as if nothing were known, so that the next commit writes everything.
    return { kind: "committed", stored: { ...stored, state: undefined } };
  }

  async lists(host: string): Promise<HostLists> {
    const [service, scientific] = await answered(() =>
      Promise.all([this.#redis.smembers(serviceKey(host)), this.#redis.smembers(scientificKey(host))]),
    );
    return { service: service.sort(), scientific: scientific.sort() };
  }

  async hosts(): Promise<string[]> {
    return (await answered(() => this.#redis.smembers(HOSTS_KEY))).sort();
  }

  async heardAt(hosts: readonly string[]): Promise<(number | undefined)[]> {
    return answered(() =>
      Promise.all(hosts.map(async (host) => heardAtOf(await this.#redis.hget(tickKey(host), "heardAtMs")))),
    );
  }

  async forget(host: string, base: StoredHost): Promise<boolean> {
    const guests = base.uuids.map((uuid) => guestKey(host, uuid));
    const keys = [tickKey(host), serviceKey(host), scientificKey(host), ...guests];
    return answered(async () => {
      if ((await this.#redis.forgetHost(keys.length, ...keys, base.token)) === CONFLICT) return false;
      this.#indexed.delete(host);
      await this.#redis.srem(HOSTS_KEY, host);
      return true;
    });
  }

  async #index(host: string): Promise<void> {
    try {
      await this.#redis.sadd(HOSTS_KEY, host);
    } catch (error) {
      if (!(error as Error).message.startsWith("WRONGTYPE")) throw error;
      // Somebody else's value under our name. The index is rebuilt by the next tick of each host.
      this.#indexed.clear();
      await this.#redis.multi().del(HOSTS_KEY).sadd(HOSTS_KEY, host).exec();
    }
    this.#indexed.add(host);
  }

  /** @returns undefined: the tick changed between the two steps */
  async #readOnce(host: string): Promise<StoredHost | undefined> {
    const [tick, service, scientific] = await this.#transaction((pipeline) =>
      pipeline.hgetall(tickKey(host)).smembers(serviceKey(host)).smembers(scientificKey(host)),
    );
    const uuids = [...new Set([...asList(service), ...asList(scientific)])];
    const isNothing = Object.keys(asHash(tick)).length === 0 && uuids.length === 0;
    if (isNothing && ![tick, service, scientific].some(isError)) return emptyHost;
    const [again, ...hashes] = await this.#transaction((pipeline) => {
      pipeline.hmget(tickKey(host), "version", "sequence");
      for (const uuid of uuids) pipeline.hgetall(guestKey(host, uuid));
      return pipeline;
    });
    const keys = [tickKey(host), serviceKey(host), scientificKey(host)];
    for (const uuid of uuids) keys.push(guestKey(host, uuid));
    const problem = wrongReply(host, keys, [tick, service, scientific, ...hashes]);
    const raw: RawHost = {
      tick: asHash(tick),
      service: asList(service),
      scientific: asList(scientific),
      guests: new Map(uuids.map((uuid, index) => [uuid, asHash(hashes[index])])),
    };
    if (!isError(tick) && !isSameTick(raw.tick, again)) return undefined;
    return picture(host, raw, uuids, problem);
  }

  /** Replies of one MULTI, each a value or the error of that command (a key of the wrong type). */
  async #transaction(build: (pipeline: Pipeline) => Pipeline): Promise<unknown[]> {
    const replies = await answered(() => build(this.#redis.multi()).exec());
    if (replies === null) throw new StoreUnavailableError("Redis gave up the transaction");
    return replies.map(([error, value]) => error ?? value);
  }
}

/** Text to store; undefined: the plan that is there stays; "": none. */
function storedPlan(base: StoredHost, next: HostState, planText: string | undefined): string | undefined {
  if (next.plan === undefined) return "";
  if (base.problem === undefined && isPlanKept(base.state?.plan, next.plan)) return undefined;
  return planText ?? JSON.stringify(next.plan);
}

type Pipeline = ChainableCommander;

function picture(
  host: string,
  raw: RawHost,
  uuids: readonly string[],
  problem: CorruptStateError | undefined,
): StoredHost {
  const heardAtMs = heardAtOf(raw.tick["heardAtMs"]);
  const base = {
    version: versionOf(raw.tick),
    token: tokenOf(raw.tick),
    state: undefined,
    uuids,
    ...(heardAtMs !== undefined && { heardAtMs }),
  };
  if (problem !== undefined) return { ...base, problem };
  try {
    return { ...base, state: parseStored(host, raw) };
  } catch (error) {
    if (error instanceof CorruptStateError) return { ...base, problem: error };
    throw error;
  }
}

/** A key that holds another type than ours is answered by an error instead of a value. */
function wrongReply(
  host: string,
  keys: readonly string[],
  replies: readonly unknown[],
): CorruptStateError | undefined {
  const at = replies.findIndex(isError);
  if (at === -1) return undefined;
  const cause = replies[at] as Error;
  return new CorruptStateError(host, `${keys[at]}: ${cause.message}`, { cause });
}

/** Runs commands; whatever keeps them from an answer becomes a {@link StoreUnavailableError}. */
export async function answered<T>(commands: () => Promise<T>): Promise<T> {
  try {
    return await commands();
  } catch (cause) {
    throw new StoreUnavailableError(`Redis: ${(cause as Error).message}`, { cause });
  }
}

function isError(reply: unknown): reply is Error {
  return reply instanceof Error;
}

function isSameTick(tick: RawHost["tick"], again: unknown): boolean {
  const [version, sequence] = isError(again) ? [] : (again as (string | null)[]);
  return (version ?? undefined) === tick["version"] && (sequence ?? undefined) === tick["sequence"];
}

function asHash(reply: unknown): Record<string, string> {
  return reply === undefined || isError(reply) ? {} : (reply as Record<string, string>);
}

function asList(reply: unknown): string[] {
  return isError(reply) ? [] : (reply as string[]);
}
