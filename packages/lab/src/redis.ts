/** A real redis-server with an append-only file. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { ask } from "./ask.ts";
import { inUrl } from "./nats.ts";
import { Server } from "./server.ts";
import { ensureTools } from "./tools.ts";

export interface RedisOptions {
  /** Configuration, log and data; kept at the end, the caller's to remove. */
  dir: string;
  /** Address that it listens on. Default 127.0.0.1. */
  address?: string;
  password?: string;
  /** Users and their rights, in place of the password: a file in which `default` may PING with the password `lab`. */
  aclFile?: string;
  /** More lines for redis.conf. */
  config?: string;
  log?: (line: string) => void;
}

export interface RedisServer {
  server: Server;
  /** `redis://:PASSWORD@ADDRESS:PORT/0`. */
  url: string;
  password: string;
}

/** Starts redis-server on a free port. Every write is on disk before it is answered. Throws LabError or ToolboxError. */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  const tools = await ensureTools(["servers"], options.log === undefined ? {} : { log: options.log });
  const { dir, address = "127.0.0.1", password = "lab" } = options;
  await mkdir(dir, { recursive: true });
  const config = path.join(dir, "redis.conf");
  const server = await Server.start({
    name: "redis-server",
    program: tools.find("redis-server"),
    logFile: path.join(dir, "redis.log"),
    args: async (port) => {
      const access =
        options.aclFile === undefined ? `requirepass "${password}"` : `aclfile "${options.aclFile}"`;
      const lines = [`bind ${address}`, `port ${port}`, access, `dir "${dir}"`];
      lines.push("appendonly yes", "appendfsync always", 'save ""', options.config ?? "");
      await writeFile(config, `${lines.join("\n")}\n`, { mode: 0o600 });
      return [config];
    },
    probe: async (port) =>
      (await ask(port, `AUTH ${password}\r\nPING\r\n`, /PONG|LOADING/, address)).includes("+PONG"),
  });
  return {
    server,
    url: `redis://:${encodeURIComponent(password)}@${inUrl(address)}:${server.port}/0`,
    password,
  };
}
