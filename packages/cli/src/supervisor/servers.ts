/**
 * nats-server and redis-server for one host, when none is configured: on loopback, unprivileged, with credentials
 * made for this run. Whoever may publish a plan steers root, so loopback alone is no protection.
 */
import { randomBytes } from "node:crypto";
import { chownSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import path from "node:path";
import type { Tools } from "../../../../scripts/lib/toolbox.js";
import { Child } from "./child.ts";
import { beforeGuests } from "./priority.ts";

/** User and group `nobody` and `nogroup` of Debian. */
const NOBODY = 65534;
const READY_MS_MAX = 15_000;
const STOP_GRACE_MS = 5000;

/** A server did not come up. The message holds what it said. */
export class ServerError extends Error {
  override readonly name = "ServerError";
}

export interface BusAccess {
  url: string;
  user?: string;
  password?: string;
}

export interface StoreAccess {
  url: string;
  password?: string;
}

export interface LocalServer<Access> {
  access: Access;
  child: Child;
  stop(): Promise<void>;
}

export async function startNats(tools: Tools, dir: string): Promise<LocalServer<BusAccess>> {
  const port = await freePort();
  const password = secret();
  const user = "kvmgov";
  const home = privateDir(path.join(dir, "nats"));
  const file = privateFile(path.join(home, "nats.conf"), [
    `listen: "127.0.0.1:${port}"`,
    `jetstream { store_dir: "data", max_memory_store: 1GB, max_file_store: 1GB }`,
    `authorization { user: "${user}", password: "${password}" }`,
  ]);
  const child = startServer(tools, "nats-server", ["-c", "nats.conf"], home);
  await untilListening(child, port, "nats-server");
  const access = { url: `nats://127.0.0.1:${port}`, user, password };
  return { access, child, stop: () => stopServer(child, file) };
}

export async function startRedis(tools: Tools, dir: string): Promise<LocalServer<StoreAccess>> {
  const port = await freePort();
  const password = secret();
  const home = privateDir(path.join(dir, "redis"));
  // From standard input: redis-server makes the path of a file absolute, and may not be let in there.
  const child = startServer(tools, "redis-server", ["-"], home, [
    "bind 127.0.0.1",
    `port ${port}`,
    `requirepass ${password}`,
    "appendonly yes",
    'save ""',
    // Without it a shutdown that cannot write is refused, and the server stays behind.
    "shutdown-on-sigterm force",
    "daemonize no",
  ]);
  await untilListening(child, port, "redis-server");
  return {
    access: { url: `redis://127.0.0.1:${port}`, password },
    child,
    stop: () => stopServer(child),
  };
}

function secret(): string {
  return randomBytes(24).toString("hex");
}

/** The servers keep their data from run to run: the lists survive a restart of `kvmgov up`. */
function privateDir(dir: string): string {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  giveAway(dir);
  return dir;
}

function privateFile(file: string, lines: readonly string[]): string {
  rmSync(file, { force: true });
  writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  giveAway(file);
  return file;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function giveAway(file: string): void {
  if (isRoot()) chownSync(file, NOBODY, NOBODY);
}

/**
 * setpriv drops root for good, and ends the server with the supervisor, even when that is killed. The server gets its
 * directory as the current one: directories above it may be closed to it.
 */
function startServer(
  tools: Tools,
  name: string,
  args: readonly string[],
  home: string,
  input: readonly string[] = [],
): Child {
  const program = tools.find(name);
  const drop = isRoot() ? ["--reuid", String(NOBODY), "--regid", String(NOBODY), "--clear-groups"] : [];
  const privileges = ["setpriv", "--no-new-privs", ...drop, "--pdeathsig", "KILL"] as const;
  const [command, ...rest] = beforeGuests([...privileges, program.path, ...program.args, ...args]);
  const child = new Child(name, command, rest, {
    env: program.env,
    stdio: ["pipe", "pipe", "pipe"],
    cwd: home,
  });
  child.feed(input.map((line) => `${line}\n`).join(""));
  return child;
}

async function stopServer(child: Child, configFile?: string): Promise<void> {
  await child.stop(STOP_GRACE_MS);
  if (configFile !== undefined) rmSync(configFile, { force: true });
}

/** A port that is free now. Another program may take it before the server does: the server then says so and ends. */
async function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function untilListening(child: Child, port: number, name: string): Promise<void> {
  const said: string[] = [];
  child.onLine((line) => said.push(line));
  child.onErrorLine((line) => said.push(line));
  const deadline = Date.now() + READY_MS_MAX;
  while (child.running && Date.now() < deadline) {
    if (await accepts(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await child.stop(STOP_GRACE_MS);
  throw new ServerError(`${name} did not start: ${said.slice(-5).join(" | ") || "it said nothing"}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
