/** The files of deploy/ as real servers: only addresses and directories are replaced, so the files are what is tested. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Server, ensureTools } from "@kvm-governor/lab";

export const repository = fileURLToPath(new URL("../../", import.meta.url));

/** A hostile one: as configuration text of NATS without quotes it would be a broken number. */
export const PASSWORD = "12e5";

/** Text of a file of the repository. */
export function readDeployed(file: string): Promise<string> {
  return readFile(path.join(repository, file), "utf8");
}

/** Replaces exactly one occurrence. @throws {Error} there is none, or more: the file is no longer what the test knows */
export function replaceOnce(text: string, from: string, to: string): string {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${parts.length - 1} times ${JSON.stringify(from)}, not once`);
  return parts.join(to);
}

export interface Deployed {
  server: Server;
  url: string;
}

/** deploy/nats/nats-server.conf, users `control` and `host` with {@link PASSWORD}. */
export async function startDeployedNats(dir: string): Promise<Deployed> {
  const tools = await ensureTools(["servers"]);
  const program = tools.find("nats-server");
  const text = await readDeployed("deploy/nats/nats-server.conf");
  // As docker-compose.yml hands them over.
  const passwords = { NATS_CONTROL_PASSWORD: `"${PASSWORD}"`, NATS_HOST_PASSWORD: `"${PASSWORD}"` };
  const config = path.join(dir, "nats.conf");
  await mkdir(dir, { recursive: true });
  const server = await Server.start({
    name: "nats-server",
    program: { ...program, env: { ...program.env, ...passwords } },
    logFile: path.join(dir, "nats.log"),
    args: async (port) => {
      const listening = replaceOnce(text, `"0.0.0.0:4222"`, `"127.0.0.1:${port}"`);
      const unmonitored = replaceOnce(listening, `"127.0.0.1:8222"`, `"127.0.0.1:-1"`);
      await writeFile(config, replaceOnce(unmonitored, "/data", JSON.stringify(path.join(dir, "jetstream"))));
      return ["-c", config];
    },
    probe: async (port) => (await readFile(path.join(dir, "nats.log"), "utf8")).includes(`:${port}`),
  });
  return { server, url: `nats://127.0.0.1:${server.port}` };
}

/** deploy/redis/redis.conf, with {@link PASSWORD} on the command line, as docker-compose.yml gives it. */
export async function startDeployedRedis(dir: string): Promise<Deployed> {
  const tools = await ensureTools(["servers"]);
  const text = await readDeployed("deploy/redis/redis.conf");
  const config = path.join(dir, "redis.conf");
  await mkdir(dir, { recursive: true });
  const server = await Server.start({
    name: "redis-server",
    program: tools.find("redis-server"),
    logFile: path.join(dir, "redis.log"),
    args: async (port) => {
      const listening = replaceOnce(replaceOnce(text, "bind * -::*", "bind 127.0.0.1"), "6379", String(port));
      await writeFile(config, replaceOnce(listening, "dir /data", `dir ${dir}`));
      return [config, "--requirepass", PASSWORD];
    },
    probe: async () => (await readFile(path.join(dir, "redis.log"), "utf8")).includes("Ready to accept"),
  });
  return { server, url: `redis://127.0.0.1:${server.port}` };
}
