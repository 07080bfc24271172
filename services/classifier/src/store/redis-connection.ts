/** One connection to Redis that waits at the start, comes back by itself, and says whether it is up. */
import type { Registry } from "prom-client";
import type { Logger, Readiness } from "@kvm-governor/service-kit";
import { exposeRedisUp } from "../metrics.ts";
import { openRedis } from "./redis-client.ts";
import type { RedisClient } from "./redis-client.ts";
import type { RedisConfig } from "./redis-config.ts";

export interface RedisOptions {
  config: RedisConfig;
  log: Logger;
  readiness: Readiness;
  registry: Registry;
}

const PING_EVERY_MS = 1000;
const AGAIN_MS = 200;

export class RedisConnection {
  readonly redis: RedisClient;
  readonly #options: RedisOptions;
  readonly #pings: NodeJS.Timeout;
  #again: NodeJS.Timeout | undefined;
  #up = false;
  #told: string | undefined;
  #closed = false;

  constructor(options: RedisOptions) {
    this.#options = options;
    this.redis = openRedis(options.config);
    this.#goDown("connecting");
    this.redis.on("ready", () => this.#goUp());
    // Keeps the reason of a connect that failed.
    this.redis.on("close", () => this.#up && this.#goDown("disconnected"));
    // Every failure also reaches whoever sent a command; without a listener ioredis prints it.
    this.redis.on("error", (error: Error) => this.#goDown(error.message));
    // The client gives up for good where Sentinels tell of a failover while it asks them who is the primary (ioredis 6.0.0,
    // FailoverDetector ends the connect that is under way): it must not.
    this.redis.on("end", () => this.#connectAgain());
    this.#pings = setInterval(() => void this.#ping(), PING_EVERY_MS);
    exposeRedisUp(options.registry, () => this.#up);
  }

  get up(): boolean {
    return this.#up;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#pings);
    clearTimeout(this.#again);
    this.redis.disconnect();
  }

  #connectAgain(): void {
    if (this.#closed) return;
    this.#goDown("the client gave up");
    clearTimeout(this.#again);
    this.#again = setTimeout(() => {
      if (this.#closed || this.redis.status !== "end") return;
      // Ends with another "end", or is tried again by the client.
      this.redis.connect().catch((error: unknown) => this.#goDown((error as Error).message));
    }, AGAIN_MS);
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
