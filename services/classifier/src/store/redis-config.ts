/** Where Redis is: one server, a primary that Sentinels watch, or a Cluster. */
import { ConfigError, tlsFilesSchema } from "@kvm-governor/service-kit";
import { z } from "zod";

export const redisShape = {
  /**
   * Where Redis is: `redis://HOST:PORT`, `rediss://` for TLS. Several by commas: the Sentinels, or nodes of the Cluster.
   */
  redisUrl: z.string().min(1).default("redis://127.0.0.1:6379"),
  /** What stands at `redisUrl`: one server, Sentinels, or a Cluster. */
  redisMode: z.enum(["single", "sentinel", "cluster"]).default("single"),
  /** User at Redis (ACL); by default the one of `redisUrl`, or `default`. */
  redisUser: z.string().min(1).optional(),
  /** Beside the address, so that it can come from the environment alone (KVMGOV_REDIS_PASSWORD). */
  redisPassword: z.string().optional(),
  /** Name under which Sentinels know the primary. */
  redisSentinelName: z.string().min(1).default("kvm-governor"),
  /** User at the Sentinels. */
  redisSentinelUser: z.string().min(1).optional(),
  /** Password at the Sentinels. */
  redisSentinelPassword: z.string().optional(),
  /** TLS towards Redis and its Sentinels, with `rediss://`. */
  redisTls: tlsFilesSchema.optional(),
};
export const redisConfigSchema = z.object(redisShape);
export type RedisConfig = z.output<typeof redisConfigSchema>;

export interface RedisAddress {
  host: string;
  port: number;
}

export interface RedisPlaces {
  addresses: RedisAddress[];
  tls: boolean;
  user?: string;
  password?: string;
  database: number;
}

/**
 * Reads `redisUrl`. What stands beside it ranks above what is in it.
 * @throws {ConfigError} not an address, several where one is meant, or some with TLS and some without
 */
export function parseRedisUrl(config: RedisConfig): RedisPlaces {
  const urls = config.redisUrl.split(",").map((text) => parseOne(text.trim()));
  const [first] = urls;
  if (first === undefined || (config.redisMode === "single" && urls.length > 1)) {
    throw new ConfigError("configuration: redisUrl: several addresses need redisMode sentinel or cluster");
  }
  if (urls.some(({ protocol }) => protocol !== first.protocol)) {
    throw new ConfigError("configuration: redisUrl: redis:// and rediss:// do not go together");
  }
  const database = Number(first.pathname.slice(1) || "0");
  if (!Number.isInteger(database) || (config.redisMode === "cluster" && database !== 0)) {
    throw new ConfigError(
      `configuration: redisUrl: database ${first.pathname.slice(1)} (a Cluster has only 0)`,
    );
  }
  const user = config.redisUser ?? decodeURIComponent(first.username);
  const password = config.redisPassword ?? decodeURIComponent(first.password);
  return {
    addresses: urls.map(({ hostname, port }) => ({
      host: hostname.replaceAll(/[[\]]/g, ""),
      port: port === "" ? defaultPort(config) : Number(port),
    })),
    tls: first.protocol === "rediss:",
    ...(user !== "" && { user }),
    ...(password !== "" && { password }),
    database,
  };
}

const defaultPort = ({ redisMode }: RedisConfig): number => (redisMode === "sentinel" ? 26_379 : 6379);

function parseOne(text: string): URL {
  if (!URL.canParse(text) || !/^rediss?:$/.test(new URL(text).protocol)) {
    // Not the text itself: it may hold a password.
    throw new ConfigError("configuration: redisUrl: must be redis://HOST:PORT or rediss://HOST:PORT");
  }
  return new URL(text);
}
