/**
 * A Docker engine of our own: its network, mounts, control groups and containers belong to one instance and end with it, also when
 * this process is killed. Only the images stay, in the toolbox's directory. Needs root and cgroup v1.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../../scripts/lib/run.js";
import { ensureTools, onPath, toolboxRoot, type Program } from "../../scripts/lib/toolbox.js";
import { waitFor } from "../support/service-process.ts";
import { EngineError } from "./errors.ts";

export interface EngineOptions {
  /**
   * `own`: a network in which nothing of the machine is, so that published ports and addresses are free. `host`: for builds that fetch
   * packages; containers can only be given the machine's own network.
   */
  network: "own" | "host";
  /** What containers find as the host's /run/libvirt/qemu. */
  libvirtStatusDir?: string;
  log?: (line: string) => void;
}

const KEEPER = fileURLToPath(new URL("engine-keeper.sh", import.meta.url));
/** Another test may have the images: it is waited for. */
const START_MS_MAX = 900_000;

export class DockerEngine {
  readonly #dir: string;
  readonly #keeper: ChildProcess;
  readonly #docker: Program;
  readonly #compose: Program;

  private constructor(dir: string, keeper: ChildProcess, docker: Program, compose: Program) {
    this.#dir = dir;
    this.#keeper = keeper;
    this.#docker = docker;
    this.#compose = compose;
  }

  /** @throws {EngineError} with the engine's last lines; {ToolboxError} its programs cannot be had */
  static async start(options: EngineOptions): Promise<DockerEngine> {
    const logging = options.log === undefined ? {} : { log: options.log };
    const { trees } = await ensureTools(["docker"], logging);
    const compose = (await ensureTools(["compose"], logging)).find("docker-compose");
    const data = path.join(toolboxRoot(), "docker-engine");
    // Images hold this machine's npm configuration.
    await mkdir(data, { recursive: true, mode: 0o700 });
    const dir = await mkdtemp(path.join(tmpdir(), `kvmgov-engine-${process.pid}-`));
    const { network, libvirtStatusDir = "" } = options;
    const docker = clientOf(trees);
    const where = [dir, path.basename(dir), data, network, libvirtStatusDir, trees.join(":")];
    const keeper = startKeeper([KEEPER, ...where, docker.path]);
    const engine = new DockerEngine(dir, keeper, docker, compose);
    try {
      await engine.#ready();
    } catch (cause) {
      const said = engine.tail();
      await engine.stop();
      throw new EngineError(`the engine did not start: ${said}`, { cause });
    }
    return engine;
  }

  /** The last lines that the engine wrote. */
  tail(lines = 10): string {
    const file = path.join(this.#dir, "engine.log");
    return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").slice(-lines).join("\n") : "";
  }

  /** Process id of dockerd. */
  get pid(): number {
    return Number(readFileSync(path.join(this.#dir, "docker.pid"), "utf8"));
  }

  /** The host's /var/lib/kvm-governor and /run/kvm-governor, as containers have them mounted. */
  get hostDirectories(): { state: string; run: string } {
    return { state: path.join(this.#dir, "state"), run: path.join(this.#dir, "run/kvm-governor") };
  }

  /** Runs `docker ARGS`. @throws {CommandError} with what it said */
  docker(args: readonly string[]): Promise<string> {
    return run(this.#docker.path, [...this.#docker.args, ...args], { env: this.#env(this.#docker) });
  }

  /** Runs `docker-compose ARGS` in a project's directory. @throws {CommandError} with what it said */
  compose(project: string, args: readonly string[]): Promise<string> {
    const env = this.#env(this.#compose);
    // It builds by the client that it finds: the same one, or nothing would come from the cache.
    env["PATH"] = `${path.dirname(this.#docker.path)}:${env["PATH"]}`;
    env["COMPOSE_PROJECT_NAME"] = path.basename(this.#dir);
    return run(this.#compose.path, [...this.#compose.args, ...args], { env, cwd: project });
  }

  /** A page at a port that is published on the engine's loopback. @throws {CommandError} it is not there */
  page(url: string): Promise<string> {
    const script =
      "const r = await fetch(process.argv[1]); process.stdout.write(await r.text()); process.exitCode = r.ok ? 0 : 1;";
    const args = [`--net=/proc/${this.pid}/ns/net`, process.execPath, "--input-type=module", "-e", script];
    return run("nsenter", [...args, url]);
  }

  /** Ends containers and engine, and removes everything but the images. May be called twice. */
  async stop(): Promise<void> {
    if (this.#keeper.exitCode !== null || this.#keeper.signalCode !== null) return;
    const gone = once(this.#keeper, "exit");
    this.#keeper.ref();
    this.#keeper.stdin?.end();
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #ready(): Promise<void> {
    const socket = path.join(this.#dir, "docker.sock");
    await waitFor("the engine", START_MS_MAX, async () => {
      if (this.#keeper.exitCode !== null) throw new EngineError("it ended");
      const log = this.tail();
      if (/^failed to start daemon|^Status: /m.test(log)) throw new EngineError(log);
      if (!existsSync(socket)) return undefined;
      return this.docker(["version"]).then(
        () => true,
        () => undefined,
      );
    });
  }

  #env(program: Program): NodeJS.ProcessEnv {
    // Without the user's own configuration: it may name other engines and logins.
    return {
      ...program.env,
      DOCKER_HOST: `unix://${path.join(this.#dir, "docker.sock")}`,
      DOCKER_CONFIG: path.join(this.#dir, "client"),
    };
  }
}

/** The client that belongs to the engine: the machine's own may be of another version. */
function clientOf(trees: readonly string[]): Program {
  const client = trees.map((tree) => path.join(tree, "usr/bin/docker")).find(existsSync);
  return { path: client ?? onPath("docker") ?? "docker", args: [], env: { ...process.env } };
}

function startKeeper(args: readonly string[]): ChildProcess {
  // Its own session: Ctrl-C in the terminal must not reach what an orderly end still needs.
  const keeper = spawn("sh", args, { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  keeper.unref();
  if (keeper.stdin instanceof Socket) keeper.stdin.unref();
  return keeper;
}
