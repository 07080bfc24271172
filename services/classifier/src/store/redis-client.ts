/** The client that a configuration asks for. */
import { Cluster, Redis } from "ioredis";
import type { RedisOptions } from "ioredis";
import { readTlsFiles } from "@kvm-governor/service-kit";
import { parseRedisUrl } from "./redis-config.ts";
import type { RedisConfig } from "./redis-config.ts";

export type RedisClient = Redis | Cluster;

/** A server that is frozen, not gone, must not hold a tick for longer. */
const COMMAND_TIMEOUT_MS = 2000;
const RETRY_MS_MAX = 1000;
/** A slot that moves, or whose primary is being replaced, is asked again this often, in turns of `RETRY_SLOT_MS`. */
const REDIRECTIONS_MAX = 6;
const RETRY_SLOT_MS = 100;

const retry = (attempt: number): number => Math.min(100 * attempt, RETRY_MS_MAX);

/**
 * Connects in the background. Commands fail at once while Redis is away: who sends them decides whether to repeat,
 * because a command that lost its answer may have been carried out.
 * @throws {ConfigError} an address or a file of TLS cannot be used
 */
export function openRedis(config: RedisConfig): RedisClient {
  const { addresses, tls, user, password, database } = parseRedisUrl(config);
  const material = tls ? readTlsFiles("redisTls", config.redisTls ?? {}) : undefined;
  const common = {
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
    ...(material !== undefined && { tls: material }),
    connectionName: "kvm-governor-classifier",
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
    // Also ends a connection whose server froze before it was ready; a later one finds it thawed or replaced.
    socketTimeout: 2 * COMMAND_TIMEOUT_MS,
    // After a failover the old primary answers READONLY: connect again to find the new one.
    reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
  } satisfies RedisOptions;
  if (config.redisMode === "cluster") {
    return new Cluster(addresses, {
      redisOptions: common,
      enableOfflineQueue: false,
      clusterRetryStrategy: retry,
      maxRedirections: REDIRECTIONS_MAX,
      retryDelayOnFailover: RETRY_SLOT_MS,
      retryDelayOnClusterDown: RETRY_SLOT_MS,
      retryDelayOnTryAgain: RETRY_SLOT_MS,
      slotsRefreshTimeout: COMMAND_TIMEOUT_MS,
    });
  }
  const reconnecting = { ...common, db: database, enableOfflineQueue: false, retryStrategy: retry };
  if (config.redisMode === "single") return new Redis({ ...reconnecting, ...addresses[0] });
  return new Redis({
    ...reconnecting,
    sentinels: addresses,
    name: config.redisSentinelName,
    sentinelRetryStrategy: retry,
    sentinelCommandTimeout: COMMAND_TIMEOUT_MS,
    // A failover is told at once, not found out by the next command that fails.
    failoverDetector: true,
    ...(config.redisSentinelUser !== undefined && { sentinelUsername: config.redisSentinelUser }),
    ...(config.redisSentinelPassword !== undefined && { sentinelPassword: config.redisSentinelPassword }),
    ...(material !== undefined && { sentinelTLS: material, enableTLSForSentinelMode: true }),
  });
}
