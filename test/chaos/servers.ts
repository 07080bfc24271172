/** The control plane of a chaos test: a cluster of three NATS servers, and two Redis that three Sentinels watch; each on its machine. */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import path from "node:path";
import { ensureTools, Server } from "@kvm-governor/lab";
import type { Tools } from "@kvm-governor/lab";
import { until } from "../../packages/lab/src/process.ts";
import type { Program } from "../../packages/lab/src/process.ts";
import { freePort } from "../../packages/lab/src/server.ts";
import type { Place } from "./network.ts";

export const PASSWORD = "lab";
export const SENTINEL_NAME = "kvm-governor";
const START_MS_MAX = 30_000;
/** A primary that is silent for this long is replaced. */
const DOWN_AFTER_MS = 1000;

export interface Node {
  place: Place;
  server: Server;
}

/** Starts NATS servers that are one cluster, with JetStream. They tell clients nothing of each other. */
export async function startNatsNodes(dir: string, places: readonly Place[]): Promise<Node[]> {
  const tools = await ensureTools(["servers"]);
  const ports = await Promise.all(places.map(() => freePort()));
  const routes = places.map(({ address }, at) => `"nats-route://${address}:${ports[at]}"`);
  return startAll(places, async (place, at) => {
    const own = path.join(dir, place.name);
    await mkdir(own, { recursive: true });
    return Server.start({
      name: place.name,
      program: programAt(place, tools, "nats-server"),
      logFile: path.join(own, "nats.log"),
      args: async (port) => {
        const lines = [
          `server_name: ${place.name}`,
          `listen: "${place.address}:${port}"`,
          // A node that is cut off is not noticed by its connections for two minutes by default.
          'ping_interval: "2s"',
          "ping_max: 2",
          `jetstream { store_dir: "${path.join(own, "jetstream")}" }`,
          `cluster { name: chaos, listen: "${place.address}:${ports[at]}", no_advertise: true, routes: [${routes.join(", ")}] }`,
          `authorization { user: lab, password: "${PASSWORD}" }`,
        ];
        await writeFile(path.join(own, "nats.conf"), `${lines.join("\n")}\n`);
        return ["-c", path.join(own, "nats.conf")];
      },
      probe: async (port) => (await askAt(place.address, port, "", /\r\n/)).includes('"jetstream":true'),
    });
  });
}

/** A primary, its replica, and a Sentinel on each of three machines. */
export interface WatchedNodes {
  redis: Node[];
  sentinels: Node[];
}

/** Starts them, and waits until all know of each other. */
export async function startWatchedNodes(
  dir: string,
  redisPlaces: readonly Place[],
  sentinelPlaces: readonly Place[],
): Promise<WatchedNodes> {
  const tools = await ensureTools(["servers"]);
  const redis: Node[] = [];
  const sentinels: Node[] = [];
  try {
    for (const place of redisPlaces) {
      const [primary] = redis;
      const follow = primary && `replicaof ${primary.place.address} ${primary.server.port}`;
      redis.push({ place, server: await startRedis(dir, place, tools, follow) });
    }
    const [primary] = redis;
    if (primary === undefined) throw new RangeError("no machine for Redis");
    sentinels.push(...(await startAll(sentinelPlaces, (place) => startSentinel(dir, place, tools, primary))));
    await until("the Sentinels", START_MS_MAX, async () => {
      const known = await Promise.all(
        sentinels.map(({ place, server }) =>
          askAt(place.address, server.port, `SENTINEL MASTER ${SENTINEL_NAME}\r\n`, /\r\n$/),
        ),
      );
      const isWhole = (text: string): boolean =>
        /num-other-sentinels\r\n\$1\r\n2/.test(text) && /num-slaves\r\n\$1\r\n1/.test(text);
      return known.every(isWhole) ? true : undefined;
    });
    return { redis, sentinels };
  } catch (error) {
    await stopAll([...redis, ...sentinels]);
    throw error;
  }
}

export async function stopAll(nodes: readonly Node[]): Promise<void> {
  await Promise.all(nodes.map(({ server }) => server.kill()));
}

/** `HOST:PORT` of each, with a scheme, by commas. */
export function urlOf(scheme: string, nodes: readonly Node[]): string {
  return nodes.map(({ place, server }) => `${scheme}://${place.address}:${server.port}`).join(",");
}

/** `HOST:PORT` of the primary, as most Sentinels say it; undefined where most do not agree. */
export async function primaryOf(sentinels: readonly Node[]): Promise<string | undefined> {
  const question = `SENTINEL GET-MASTER-ADDR-BY-NAME ${SENTINEL_NAME}\r\n`;
  const said = await Promise.all(
    sentinels.map(async ({ place, server }) => {
      const answer = await askAt(place.address, server.port, question, /\r\n\S+\r\n\$\d+\r\n\d+\r\n$/).catch(
        () => "",
      );
      const [, address, port] = /\r\n(\S+)\r\n\$\d+\r\n(\d+)\r\n$/.exec(answer) ?? [];
      return address === undefined ? undefined : `${address}:${port}`;
    }),
  );
  return said.find(
    (one) => one !== undefined && 2 * said.filter((other) => other === one).length > said.length,
  );
}

/** Whether a Redis is a replica that has all that its primary had when they met. */
export async function isInStep({ place, server }: Node): Promise<boolean> {
  const question = `AUTH ${PASSWORD}\r\nINFO replication\r\n`;
  const answer = await askAt(place.address, server.port, question, /role:[\s\S]*\r\n$/).catch(() => "");
  return answer.includes("role:slave") && answer.includes("master_link_status:up");
}

async function startRedis(dir: string, place: Place, tools: Tools, follow?: string): Promise<Server> {
  const own = path.join(dir, place.name);
  await mkdir(own, { recursive: true });
  const config = path.join(own, "redis.conf");
  return Server.start({
    name: place.name,
    program: programAt(place, tools, "redis-server"),
    logFile: path.join(own, "redis.log"),
    args: async (port) => {
      const lines = [
        `bind ${place.address}`,
        `port ${port}`,
        `requirepass "${PASSWORD}"`,
        `masterauth "${PASSWORD}"`,
        `dir "${own}"`,
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "repl-diskless-sync yes",
        "repl-diskless-sync-delay 0",
        "repl-timeout 5",
        follow ?? "",
      ];
      // Sentinels write who is whose replica into it: that holds after a restart too.
      if (!existsSync(config)) await writeFile(config, `${lines.join("\n")}\n`);
      return [config];
    },
    probe: async (port) =>
      (await askAt(place.address, port, `AUTH ${PASSWORD}\r\nPING\r\n`, /PONG|LOADING|MASTERDOWN/)).includes(
        "+PONG",
      ),
  });
}

async function startSentinel(dir: string, place: Place, tools: Tools, primary: Node): Promise<Server> {
  const own = path.join(dir, `sentinel-${place.name}`);
  await mkdir(own, { recursive: true });
  const config = path.join(own, "sentinel.conf");
  return Server.start({
    name: `sentinel-${place.name}`,
    program: programAt(place, tools, "redis-server"),
    logFile: path.join(own, "sentinel.log"),
    args: async (port) => {
      const lines = [
        `bind ${place.address}`,
        `port ${port}`,
        `dir "${own}"`,
        "protected-mode no",
        `sentinel monitor ${SENTINEL_NAME} ${primary.place.address} ${primary.server.port} 2`,
        `sentinel auth-pass ${SENTINEL_NAME} ${PASSWORD}`,
        `sentinel down-after-milliseconds ${SENTINEL_NAME} ${DOWN_AFTER_MS}`,
        `sentinel failover-timeout ${SENTINEL_NAME} 5000`,
      ];
      if (!existsSync(config)) await writeFile(config, `${lines.join("\n")}\n`);
      return [config, "--sentinel"];
    },
    probe: async (port) => (await askAt(place.address, port, "PING\r\n", /PONG/)).includes("+PONG"),
  });
}

function programAt(place: Place, tools: Tools, name: string): Program {
  const { path: file, args, env } = tools.find(name);
  const [first, ...rest] = [...place.prefix, file, ...args];
  return { path: first ?? file, args: rest, env };
}

/** Starts one on each machine; where one fails, those that did start are ended. */
async function startAll(
  places: readonly Place[],
  start: (place: Place, at: number) => Promise<Server>,
): Promise<Node[]> {
  const results = await Promise.allSettled(
    places.map(async (place, at) => ({ place, server: await start(place, at) })),
  );
  const nodes = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failed = results.find((result) => result.status === "rejected");
  if (failed === undefined) return nodes;
  await stopAll(nodes);
  throw failed.reason;
}

/** Sends `text` and resolves with the answer once it matches. Rejects after a second. */
function askAt(host: string, port: number, text: string, enough: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(port, host);
    socket.on("connect", () => socket.write(text));
    socket.setTimeout(1000, () => socket.destroy(new Error(`no answer from ${host}:${port}`)));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`${host}:${port} closed after ${JSON.stringify(answer)}`)));
    socket.on("data", (chunk) => {
      answer += String(chunk);
      if (!enough.test(answer)) return;
      resolve(answer);
      socket.destroy();
    });
  });
}
