/**
 * The governor on one host: servers where none are configured, the three services, and the guard that restores for
 * an actuator that is dead or frozen. `kvmgov up` and the demo run this.
 */
import { EventEmitter } from "node:events";
import { closeSync, mkdirSync, openSync } from "node:fs";
import path from "node:path";
import { tryLock } from "@kvm-governor/linux";
import { ensureTools, toolboxRoot } from "../../../../scripts/lib/toolbox.js";
import { Guard } from "./guard.ts";
import { hostIdOf } from "./host-id.ts";
import { Keeper } from "./keeper.ts";
import { readLogLine } from "./narrator.ts";
import type { LogEvent } from "./narrator.ts";
import type { Places } from "./places.ts";
import { startNats, startRedis } from "./servers.ts";
import type { BusAccess, LocalServer, StoreAccess } from "./servers.ts";
import { startService } from "./services.ts";
import type { ServiceName, ServiceSettings } from "./services.ts";

export interface GovernorOptions extends Places {
  /** A bus and a store that are there already; else they are started here. */
  bus?: BusAccess;
  store?: StoreAccess;
  /** HOST:PORT of each service's pages. */
  listen: Readonly<Record<ServiceName, string>>;
  /** KVMGOV_ variables for the services, without the prefix. */
  settings: Readonly<Record<string, string | undefined>>;
  /** Where libvirt keeps the status files of running guests. */
  libvirtRunDir: string;
  /** How long a plan holds without being renewed, in milliseconds; a silent actuator is replaced after that time. */
  planTtlMs: number;
  /** Progress of the start, for people. */
  log: (line: string) => void;
}

/** Another governor runs with the same directories. */
export class AlreadyRunningError extends Error {
  override readonly name = "AlreadyRunningError";
}

interface GovernorEvents {
  event: [LogEvent];
  /** A service cannot be kept running. */
  failed: [string];
}

const names: readonly ServiceName[] = ["classifier", "collector", "actuator"];

export class Governor extends EventEmitter<GovernorEvents> {
  /** Where the pages of each service are, as soon as it listens. */
  readonly urls = new Map<ServiceName, string>();
  readonly bus: BusAccess;
  readonly store: StoreAccess;
  readonly #keepers = new Map<ServiceName, Keeper>();
  readonly #servers: readonly LocalServer<unknown>[];
  readonly #guard: Guard;
  readonly #lockFd: number;

  private constructor(
    options: GovernorOptions,
    parts: { bus: BusAccess; store: StoreAccess; servers: readonly LocalServer<unknown>[]; lockFd: number },
  ) {
    super();
    this.bus = parts.bus;
    this.store = parts.store;
    this.#servers = parts.servers;
    this.#lockFd = parts.lockFd;
    this.#guard = new Guard({ ...options, silenceMsMax: options.planTtlMs }, (event) =>
      this.emit("event", event),
    );
    const settings: ServiceSettings = {
      bus: parts.bus,
      store: parts.store,
      // Not with the state: Node writes it as it ends, which may be after the state was removed.
      compileCacheDir: path.join(toolboxRoot(), "compile-cache"),
      common: {
        ...options.settings,
        HOST_ID: hostIdOf(options.settings["HOST_ID"] ?? process.env["KVMGOV_HOST_ID"], options.stateDir),
        STATE_DIR: options.stateDir,
        RUN_DIR: options.runDir,
        LIBVIRT_RUN_DIR: options.libvirtRunDir,
        PLAN_TTL_MS: String(options.planTtlMs),
      },
    };
    for (const name of names) this.#keepers.set(name, this.#keep(name, settings, options.listen[name]));
    this.#guard.watch(() => this.#keepers.get("actuator")?.child);
  }

  /**
   * Starts everything. Services wait for each other by themselves.
   * @throws {AlreadyRunningError} {ServerError} {ToolboxError} nothing stays behind that was started
   */
  static async start(options: GovernorOptions): Promise<Governor> {
    mkdirSync(options.runDir, { recursive: true, mode: 0o755 });
    mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
    const lockFd = openSync(path.join(options.runDir, "up.lock"), "w", 0o600);
    if (!tryLock(lockFd)) {
      closeSync(lockFd);
      throw new AlreadyRunningError(`another kvmgov runs here already (${options.runDir}/up.lock is locked)`);
    }
    const servers: LocalServer<unknown>[] = [];
    try {
      const [bus, store] = await accessServers(options, servers);
      return new Governor(options, { bus, store, servers, lockFd });
    } catch (error) {
      await Promise.all(servers.map((server) => server.stop()));
      closeSync(lockFd);
      throw error;
    }
  }

  /** Process of a service, for tests and for the table. */
  pid(name: ServiceName): number | undefined {
    return this.#keepers.get(name)?.child.pid;
  }

  /** Tells the services to read policy and limits again. */
  reload(): void {
    for (const keeper of this.#keepers.values()) keeper.child.kill("SIGHUP");
  }

  /**
   * Stops in the order that leaves no guest worse off: first the actuator, which goes back to the baseline.
   * @returns whether every guest is back at its baseline
   */
  async stop(): Promise<{ restored: boolean }> {
    this.#guard.stop();
    await this.#keepers.get("actuator")?.stop();
    const restored = await this.#guard.restoreLeftovers();
    await Promise.all([this.#keepers.get("collector")?.stop(), this.#keepers.get("classifier")?.stop()]);
    await Promise.all(this.#servers.map((server) => server.stop()));
    closeSync(this.#lockFd);
    return { restored };
  }

  #keep(name: ServiceName, settings: ServiceSettings, listen: string): Keeper {
    return new Keeper({
      name,
      start: () => {
        const child = startService(name, settings, listen);
        child.onLine((line) => this.#hear(name, line));
        child.onErrorLine((line) => this.#hear(name, line));
        return child;
      },
      ...(name === "actuator"
        ? { beforeRestart: async () => void (await this.#guard.restoreLeftovers()) }
        : {}),
      onEnd: (exit, waitMs) =>
        this.#tell(
          "error",
          name,
          "service-ended",
          `ended unasked (${exit.signal ?? `exit code ${exit.code}`}), again in ${waitMs} ms`,
        ),
      onGiveUp: (reason) => this.emit("failed", reason),
    });
  }

  #hear(name: ServiceName, line: string): void {
    const event = readLogLine(name, line);
    if (event.event === "listening" && typeof event["url"] === "string") this.urls.set(name, event["url"]);
    this.emit("event", event);
  }

  #tell(level: string, service: string, event: string, msg: string): void {
    this.emit("event", { service, level, event, msg, time: new Date().toISOString() });
  }
}

async function accessServers(
  options: GovernorOptions,
  servers: LocalServer<unknown>[],
): Promise<[BusAccess, StoreAccess]> {
  const { bus, store, stateDir, log } = options;
  if (bus !== undefined && store !== undefined) return [bus, store];
  const tools = await ensureTools(["servers"], { log });
  const dir = path.join(stateDir, "servers");
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const start = async <Access>(starting: Promise<LocalServer<Access>>): Promise<Access> => {
    const server = await starting;
    servers.push(server);
    return server.access;
  };
  const nats = bus ?? (await start(startNats(tools, dir)));
  const redis = store ?? (await start(startRedis(tools, dir)));
  return [nats, redis];
}
