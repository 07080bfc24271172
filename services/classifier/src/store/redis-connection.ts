/** One connection to Redis that waits at the start, comes back by itself, and says whether it is up. */
import { Redis } from "ioredis";
import type { Registry } from "prom-client";
import type { Logger, Readiness } from "@kvm-governor/service-kit";
import { exposeRedisUp } from "../metrics.ts";

export interface RedisOptions {
  /** redis://[user[:password]@]host:port[/database], or rediss:// for TLS. */
  url: string;
  password?: string | undefined;
  log: Logger;
  readiness: Readiness;
  registry: Registry;
}

/** A server that is frozen, not gone, must not hold a tick for longer. */
const COMMAND_TIMEOUT_MS = 2000;
const PING_EVERY_MS = 1000;
const RETRY_MS_MAX = 1000;

/**
 * Connects in the background. Commands fail at once while Redis is away: who sends them decides whether to repeat,
 * because a command that lost its answer may have been carried out.
 */
export class RedisConnection {
  readonly redis: Redis;
  readonly #options: RedisOptions;
  readonly #pings: NodeJS.Timeout;
  #up = false;
  #told: string | undefined;
  #closed = false;

  constructor(options: RedisOptions) {
    this.#options = options;
    this.redis = new Redis(options.url, {
      ...(options.password === undefined ? {} : { password: options.password }),
      connectionName: "kvm-governor-classifier",
      lazyConnect: false,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: COMMAND_TIMEOUT_MS,
      // Also ends a connection whose server froze before it was ready; a later one finds it thawed or replaced.
      socketTimeout: 2 * COMMAND_TIMEOUT_MS,
      retryStrategy: (attempt) => Math.min(100 * attempt, RETRY_MS_MAX),
      // After a failover the old primary answers READONLY: connect again to find the new one.
      reconnectOnError: (error) => error.message.startsWith("READONLY"),
    });
    this.#goDown("connecting");
    this.redis.on("ready", () => this.#goUp());
    // Keeps the reason of a connect that failed.
    this.redis.on("close", () => this.#up && this.#goDown("disconnected"));
    // Every failure also reaches whoever sent a command; without a listener ioredis prints it.
    this.redis.on("error", (error: Error) => this.#goDown(error.message));
    this.#pings = setInterval(() => void this.#ping(), PING_EVERY_MS);
    exposeRedisUp(options.registry, () => this.#up);
  }

  get up(): boolean {
    return this.#up;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#pings);
    this.redis.disconnect();
  }

  async #ping(): Promise<void> {
    if (this.redis.status !== "ready") return;
    try {
      await this.redis.ping();
      this.#goUp();
    } catch (error) {
      this.#goDown((error as Error).message);
    }
  }

  #goUp(): void {
    if (this.#up || this.#closed) return;
    this.#up = true;
    this.#told = undefined;
    this.#options.readiness.set("redis", true);
    this.#options.log.info({ event: "redis-up" }, "Redis answers");
  }

  #goDown(reason: string): void {
    if (this.#closed) return;
    this.#up = false;
    this.#options.readiness.set("redis", false, reason);
    if (reason === "connecting" || this.#told !== undefined) return;
    this.#told = reason;
    this.#options.log.warn({ event: "redis-away", reason }, `Redis is away, waiting for it: ${reason}`);
  }
}
