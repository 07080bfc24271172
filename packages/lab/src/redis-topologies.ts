/** Redis with more than one server: a primary with a replica that Sentinels watch, and a Cluster of primaries. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { ask } from "./ask.ts";
import { until } from "./process.ts";
import { startRedis, type RedisServer } from "./redis.ts";
import { freePort, Server } from "./server.ts";
import { ensureTools } from "./tools.ts";

const PASSWORD = "lab";
const START_MS = 20_000;

export interface WatchedRedis {
  primary: RedisServer;
  replica: RedisServer;
  sentinels: readonly Server[];
  /** `redis://127.0.0.1:PORT` of each Sentinel, by commas; they want no password, the servers `lab`. */
  url: string;
  /** Name under which the Sentinels know the primary. */
  name: string;
  stop(): Promise<void>;
}

export interface RedisCluster {
  nodes: readonly RedisServer[];
  /** Addresses of all nodes, by commas; the password is `lab`. */
  url: string;
  stop(): Promise<void>;
}

/**
 * One primary, one replica and three Sentinels that replace a primary that is silent for half a second.
 * @throws {LabError} one of them did not start, or the replica did not follow
 */
export async function startWatchedRedis(dir: string): Promise<WatchedRedis> {
  const name = "kvm-governor";
  const masterauth = `masterauth "${PASSWORD}"`;
  const primary = await startRedis({ dir: path.join(dir, "primary"), config: masterauth });
  const started: Server[] = [primary.server];
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()));
  };
  try {
    const follow = `${masterauth}\nreplicaof 127.0.0.1 ${primary.server.port}`;
    const replica = await startRedis({ dir: path.join(dir, "replica"), config: follow });
    started.push(replica.server);
    await until("the replica", START_MS, async () =>
      (await command(replica, "INFO replication")).includes("master_link_status:up") ? true : undefined,
    );
    const sentinels: Server[] = [];
    for (let at = 0; at < 3; at++) {
      const sentinel = await startSentinel(path.join(dir, `sentinel-${at}`), name, primary.server.port);
      sentinels.push(sentinel);
      started.push(sentinel);
    }
    await until("the Sentinels", START_MS, async () => {
      const known = await Promise.all(
        sentinels.map(({ port }) => ask(port, `SENTINEL MASTER ${name}\r\n`, /\r\n$/)),
      );
      // Each knows the two others and the replica.
      return known.every(
        (text) => /num-other-sentinels\r\n\$1\r\n2/.test(text) && /num-slaves\r\n\$1\r\n1/.test(text),
      )
        ? true
        : undefined;
    });
    const url = sentinels.map(({ port }) => `redis://127.0.0.1:${port}`).join(",");
    return { primary, replica, sentinels, url, name, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startSentinel(dir: string, name: string, port: number): Promise<Server> {
  const tools = await ensureTools(["servers"], {});
  await mkdir(dir, { recursive: true });
  const config = path.join(dir, "sentinel.conf");
  const program = tools.find("redis-server");
  return Server.start({
    name: "redis-sentinel",
    program,
    logFile: path.join(dir, "sentinel.log"),
    args: async (own) => {
      const lines = [
        "bind 127.0.0.1",
        `port ${own}`,
        `dir "${dir}"`,
        `sentinel monitor ${name} 127.0.0.1 ${port} 2`,
        `sentinel auth-pass ${name} ${PASSWORD}`,
        `sentinel down-after-milliseconds ${name} 500`,
        `sentinel failover-timeout ${name} 5000`,
      ];
      await writeFile(config, `${lines.join("\n")}\n`, { mode: 0o600 });
      return [config, "--sentinel"];
    },
    probe: async (own) => (await ask(own, "PING\r\n", /PONG/)).includes("+PONG"),
  });
}

/**
 * Primaries that share the slots, without replicas.
 * @throws {LabError} one did not start, or they did not agree
 */
export async function startRedisCluster(dir: string, size: number): Promise<RedisCluster> {
  const nodes: RedisServer[] = [];
  const busPorts: number[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map(({ server }) => server.stop()));
  };
  try {
    for (let at = 0; at < size; at++) {
      busPorts[at] = await freePort();
      const config = ["cluster-enabled yes", "cluster-node-timeout 2000", `cluster-port ${busPorts[at]}`];
      nodes.push(await startRedis({ dir: path.join(dir, `node-${at}`), config: config.join("\n") }));
    }
    await meet(nodes, busPorts[0] ?? 0);
    const url = nodes.map(({ server }) => `redis://127.0.0.1:${server.port}`).join(",");
    return { nodes, url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const SLOTS = 16_384;

async function meet(nodes: readonly RedisServer[], busPort: number): Promise<void> {
  const first = nodes[0];
  for (const [at, node] of nodes.entries()) {
    const from = Math.floor((at * SLOTS) / nodes.length);
    const to = Math.floor(((at + 1) * SLOTS) / nodes.length) - 1;
    await command(node, `CLUSTER ADDSLOTSRANGE ${from} ${to}`);
    if (at === 0 || first === undefined) continue;
    await command(node, `CLUSTER MEET 127.0.0.1 ${first.server.port} ${busPort}`);
  }
  await until("the cluster", START_MS, async () => {
    const states = await Promise.all(nodes.map((node) => command(node, "CLUSTER INFO")));
    const isAgreed = (text: string): boolean =>
      text.includes("cluster_state:ok") && text.includes(`cluster_known_nodes:${nodes.length}`);
    return states.every(isAgreed) ? true : undefined;
  });
}

/** What one server answers to one command. */
async function command({ server }: RedisServer, line: string): Promise<string> {
  return (await ask(server.port, `AUTH ${PASSWORD}\r\n${line}\r\n`, /\+OK\r\n[\s\S]*\r\n$/)).replace(
    "+OK\r\n",
    "",
  );
}
