/**
 * Captures what an older version leaves behind: its services run from a checkout of it, on real guests, real NATS and Redis, until there are
 * guests in both lists, one on its way and one held; then they are killed. With `--change` today's services go on from there, and
 * the older ones from what those leave.
 *
 *     node test/older/capture.ts CHECKOUT DIRECTORY PRESET [--change]
 */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { isDeepStrictEqual, promisify } from "node:util";
import { startLibvirt, startNats, startRedis } from "@kvm-governor/lab";
import type { Guest, Libvirt, NatsServer, RedisServer } from "@kvm-governor/lab";
import { withoutCredentials } from "@kvm-governor/service-kit";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { Redis } from "ioredis";
import { kernelState } from "../support/actuator-bench.ts";
import { ServiceProcess, waitFor } from "../support/service-process.ts";
import { HOST, type BusState, type Keys } from "./state.ts";

const exec = promisify(execFile);
const [checkout = "", into = "", preset = "", change] = process.argv.slice(2);
if (preset === "") throw new Error("usage: node test/older/capture.ts CHECKOUT DIRECTORY PRESET [--change]");

const PERIOD_MS = 500;
const BETA = 8;
/** Count at which the guest on its way is caught. */
const COUNT = 3;
/** What the actuator leaves beside the kernel, and in which directory. */
const FILES = { state: ["journal"], run: ["holding", "actuator.alive"] };

interface Servers {
  dir: string;
  nats: NatsServer;
  redisServer: RedisServer;
  redis: Redis;
  libvirt: Libvirt;
}

/** `solver` moves to LIST_sc, `web` stays in LIST_se, `rising` is caught on its way. */
interface Guests {
  solver: Guest;
  web: Guest;
  rising: Guest;
}

type Service = "classifier" | "collector" | "actuator";

const main = (root: string, service: Service): string => path.join(root, `services/${service}/src/main.ts`);

function environment({ dir, nats, redisServer, libvirt }: Servers): Record<string, string> {
  const policyFile = path.join(dir, "policy.yaml");
  return {
    KVMGOV_HOST_ID: HOST,
    KVMGOV_NATS_URL: nats.url,
    KVMGOV_NATS_USER: nats.user,
    KVMGOV_NATS_PASSWORD: nats.password,
    KVMGOV_REDIS_URL: withoutCredentials(redisServer.url),
    KVMGOV_REDIS_PASSWORD: redisServer.password,
    KVMGOV_LIBVIRT_RUN_DIR: path.join(libvirt.runDir, "qemu"),
    KVMGOV_STATE_DIR: path.join(dir, "state"),
    KVMGOV_RUN_DIR: path.join(dir, "run"),
    KVMGOV_POLICY_FILE: policyFile,
    KVMGOV_CHECK_PERIOD_MS: String(PERIOD_MS),
    KVMGOV_BETA: String(BETA),
    KVMGOV_PLAN_TTL_MS: "60000",
    KVMGOV_PRESET: preset,
  };
}

/** Settings that a service does not know are an error: each gets its own. */
const KEYS: Record<Service, RegExp> = {
  classifier: /NATS|REDIS|CHECK_PERIOD|BETA|PLAN_TTL|PRESET/,
  collector: /HOST_ID|NATS|LIBVIRT|CHECK_PERIOD|POLICY|STATE_DIR|RUN_DIR/,
  actuator: /HOST_ID|NATS|LIBVIRT|POLICY|STATE_DIR|RUN_DIR/,
};

async function start(root: string, service: Service, servers: Servers): Promise<ServiceProcess> {
  const all = Object.entries(environment(servers));
  const env = Object.fromEntries(all.filter(([key]) => KEYS[service].test(key)));
  return ServiceProcess.startProgram(process.execPath, [main(root, service)], env);
}

/** All keys of Redis with their values, lists sorted. */
async function redisKeys(redis: Redis): Promise<Keys> {
  const keys: Keys = {};
  for (const key of (await redis.keys("*")).sort()) {
    const type = await redis.type(key);
    keys[key] = type === "hash" ? await redis.hgetall(key) : (await redis.smembers(key)).sort();
  }
  return keys;
}

/** Streams with how they were made, who reads them, and the last message of each subject. */
async function busState({ url, user, password }: NatsServer): Promise<BusState> {
  const connection = await connect({ servers: url, user, pass: password });
  const manager = await jetstreamManager(connection);
  const streams: BusState["streams"] = [];
  for await (const { config } of manager.streams.list()) {
    const info = await manager.streams.info(config.name, { subjects_filter: ">" });
    const consumers = [];
    for await (const consumer of manager.consumers.list(config.name)) consumers.push(consumer.config);
    const last = [];
    for (const subject of Object.keys(info.state.subjects ?? {}).sort()) {
      const message = await manager.streams.getMessage(config.name, { last_by_subj: subject });
      if (message !== null) last.push({ subject, data: new TextDecoder().decode(message.data) });
    }
    streams.push({ config, consumers, last });
  }
  await connection.close();
  return { streams };
}

const guestField = (redis: Redis, { uuid }: Guest, field: string): Promise<string | null> =>
  redis.hget(`kvmgov:{${HOST}}:guest:${uuid}`, field);
const tick = async (redis: Redis): Promise<number> =>
  Number(await redis.hget(`kvmgov:{${HOST}}:tick`, "version"));

async function startServers(stack: AsyncDisposableStack): Promise<Servers> {
  const dir = mkdtempSync(path.join(tmpdir(), "kvmgov-older-"));
  stack.defer(() => rmSync(dir, { recursive: true }));
  mkdirSync(path.join(dir, "state"));
  const nats = await startNats({ dir: path.join(dir, "nats") });
  stack.defer(() => nats.server.stop());
  const redisServer = await startRedis({ dir: path.join(dir, "redis") });
  stack.defer(() => redisServer.server.stop());
  const redis = new Redis(redisServer.url);
  stack.defer(() => redis.disconnect());
  const libvirt = await startLibvirt();
  stack.defer(() => libvirt.stop());
  return { dir, nats, redisServer, redis, libvirt };
}

async function startGuests({ dir, libvirt }: Servers): Promise<Guests> {
  const cputune = { shares: 700, periodUs: 50_000, quotaUs: 45_000, emulatorpin: "1" };
  const solver = await libvirt.defineAndStart({ name: "solver", cputune });
  const web = await libvirt.defineAndStart({ name: 'web "a:b,c=d"' });
  const rising = await libvirt.defineAndStart({ name: "rising" });
  const rules = [
    { match: { uuid: web.uuid }, class: "service", slaCores: 0.3 },
    { match: { uuid: solver.uuid }, class: "auto" },
    // With an SLA it leaves the solver a CPU of its own.
    { match: { uuid: rising.uuid }, class: "auto", slaCores: 0.2 },
    // Other guests may run on this machine.
    { match: { name: "*" }, class: "exempt" },
  ];
  writeFileSync(path.join(dir, "policy.yaml"), JSON.stringify({ rules }));
  solver.load.setLoad(100);
  web.load.setLoad(10);
  return { solver, web, rising };
}

/** Runs all services of a checkout while `during` does; then they are killed. */
async function withServices(
  root: string,
  servers: Servers,
  during: (services: Record<Service, ServiceProcess>) => Promise<void>,
): Promise<void> {
  const services: Partial<Record<Service, ServiceProcess>> = {};
  try {
    for (const service of ["actuator", "classifier", "collector"] as const)
      services[service] = await start(root, service, servers);
    await during(services as Record<Service, ServiceProcess>);
  } finally {
    for (const service of Object.values(services)) await service.kill();
  }
}

/** Another version goes on with what the one before left: `kvmgov restore` from its journal, then all services. */
async function takeOver(root: string, servers: Servers, isAsFound: () => boolean): Promise<void> {
  const { KVMGOV_STATE_DIR, KVMGOV_RUN_DIR, KVMGOV_LIBVIRT_RUN_DIR } = environment(servers);
  const env = { ...process.env, KVMGOV_STATE_DIR, KVMGOV_RUN_DIR, KVMGOV_LIBVIRT_RUN_DIR };
  const { stdout } = await exec(process.execPath, [path.join(root, "packages/cli/src/main.ts"), "restore"], {
    env,
  });
  console.log(`${root}: as found: ${isAsFound()}\n${stdout}`);
  const before = await tick(servers.redis);
  await withServices(root, servers, async ({ actuator, classifier }) => {
    await waitFor("ticks go on", 30_000, async () =>
      (await tick(servers.redis)) > before + 2 ? true : undefined,
    );
    await waitFor("a guest is held", 30_000, () => !isAsFound() || undefined);
    const said = [...actuator.log, ...classifier.log].filter(({ level }) =>
      ["warn", "error"].includes(level),
    );
    const moves = classifier.events("guest-moved").map(({ msg: text }) => text);
    console.log(JSON.stringify({ moves, said, keys: await redisKeys(servers.redis) }, undefined, 1));
  });
}

async function capture(root: string, target: string, isChanged: boolean): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const servers = await startServers(stack);
  const guests = await startGuests(servers);
  const { dir, redis, nats } = servers;
  const state = (): unknown => Object.values(guests).map((guest: Guest) => kernelState(guest));
  const found = state();
  const isAsFound = (): boolean => isDeepStrictEqual(state(), found);
  await withServices(root, servers, async () => {
    await waitFor("the solver is in LIST_sc", 30_000, async () =>
      (await guestField(redis, guests.solver, "class")) === "scientific" ? true : undefined,
    );
    const journal = path.join(dir, "state/journal");
    await waitFor("the solver is held", 20_000, () => existsSync(journal) || undefined);
    guests.rising.load.setLoad(100);
    await waitFor("the count rises", 20_000, async () =>
      Number(await guestField(redis, guests.rising, "count")) >= COUNT ? true : undefined,
    );
  });
  mkdirSync(target, { recursive: true });
  for (const [place, names] of Object.entries(FILES))
    for (const name of names) cpSync(path.join(dir, place, name), path.join(target, name));
  for (const [name, value] of [
    ["redis.json", await redisKeys(redis)],
    ["bus.json", await busState(nats)],
  ] as const)
    writeFileSync(path.join(target, name), `${JSON.stringify(value, undefined, 2)}\n`);
  if (!isChanged) return;
  await takeOver(path.resolve(import.meta.dirname, "../.."), servers, isAsFound);
  await takeOver(root, servers, isAsFound);
}

await capture(checkout, into, change === "--change");
