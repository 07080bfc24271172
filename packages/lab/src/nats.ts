/** A real nats-server with JetStream. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { ask } from "./ask.ts";
import { Server } from "./server.ts";
import { ensureTools } from "./tools.ts";

export interface NatsOptions {
  /** Configuration, log and JetStream data; kept at the end, the caller's to remove. */
  dir: string;
  /** Address that it listens on. Default 127.0.0.1. */
  address?: string;
  user?: string;
  password?: string;
  /** Replaces the `authorization` block: NATS configuration syntax, for permissions or accounts. */
  authorization?: string;
  log?: (line: string) => void;
}

export interface NatsServer {
  server: Server;
  /** `nats://ADDRESS:PORT`, without credentials. */
  url: string;
  user: string;
  password: string;
}

/** Starts nats-server on a free port, with JetStream. Throws LabError or ToolboxError. */
export async function startNats(options: NatsOptions): Promise<NatsServer> {
  const tools = await ensureTools(["servers"], options.log === undefined ? {} : { log: options.log });
  const { dir, address = "127.0.0.1", user = "lab", password = "lab" } = options;
  const host = inUrl(address);
  await mkdir(dir, { recursive: true });
  const config = path.join(dir, "nats.conf");
  const authorization = options.authorization ?? `authorization { user: "${user}", password: "${password}" }`;
  const server = await Server.start({
    name: "nats-server",
    program: tools.find("nats-server"),
    logFile: path.join(dir, "nats.log"),
    args: async (port) => {
      const listen = `listen: "${host}:${port}"\njetstream { store_dir: "${path.join(dir, "jetstream")}" }\n`;
      await writeFile(config, `${listen}${authorization}\n`, { mode: 0o600 });
      return ["-c", config];
    },
    probe: async (port) => (await ask(port, "", /\r\n/, address)).includes('"jetstream":true'),
  });
  return { server, url: `nats://${host}:${server.port}`, user, password };
}

/** An address as it stands before a port. */
export const inUrl = (address: string): string => (address.includes(":") ? `[${address}]` : address);
