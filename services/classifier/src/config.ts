/** Configuration of the classifier: where NATS and Redis are, and how the fleet is governed. */
import { settingsConflict, settingsSchema } from "@kvm-governor/policy";
import type { Settings } from "@kvm-governor/policy";
import {
  ConfigError,
  listenAddress,
  loadConfig,
  serviceShape,
  streamSettingsSchema,
  streamShape,
} from "@kvm-governor/service-kit";
import type { StreamSettings } from "@kvm-governor/service-kit";
import { z } from "zod";
import { redisShape } from "./store/redis-config.ts";
import { NetworkError, allowedPages } from "./allowed-pages.ts";

export const configSchema = z.strictObject({
  ...serviceShape,
  ...redisShape,
  /** HOST:PORT of the pages and the API; port 0 is any free one. */
  listen: listenAddress.default("127.0.0.1:9472"),
  /** A classifier that is silent for this long, in milliseconds, is dead: the others take its hosts over. */
  silenceMs: z.int().min(200).max(60_000).default(1000),
  /** A host of which nothing was heard for this long, in milliseconds, is gone: its lists and counts are removed. Default: a week. */
  forgetHostMs: z
    .int()
    .min(3_600_000)
    .default(7 * 86_400_000),
  ...streamShape,
  /** Where hosts' metrics pages may be for service discovery to list them: networks, addresses, patterns of host names; absent: anywhere. */
  discoveryNetworks: z.array(z.string()).optional(),
  /** Guests whose course over time is kept in memory for the console, about 27 kB each; 0: none. */
  consoleGuests: z.int().min(0).max(1_000_000).default(2000),
  /** Pages of the console that may be open at the same time. */
  consoleStreams: z.int().min(1).max(10_000).default(64),
  /** The keys of the settings stand at the top level: `alpha`, `beta`, `preset`, ... */
  ...settingsSchema.shape,
});
type FlatConfig = z.output<typeof configSchema>;

export interface ClassifierConfig extends Omit<FlatConfig, keyof Settings> {
  settings: Settings;
  streams: StreamSettings;
  isPageAllowed: (hostname: string) => boolean;
}

/**
 * Reads the configuration: YAML file and environment, see loadConfig.
 * @throws {ConfigError} naming source and key
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  file?: string,
): ClassifierConfig {
  const config = loadConfig(configSchema, file === undefined ? { env } : { env, file });
  const settings = settingsSchema.parse(
    Object.fromEntries(Object.keys(settingsSchema.shape).map((key) => [key, config[key as keyof Settings]])),
  );
  const conflict = settingsConflict(settings);
  if (conflict !== undefined) throw new ConfigError(`configuration: ${conflict}`);
  return {
    ...config,
    settings,
    streams: streamSettingsSchema.parse(config),
    isPageAllowed: pagesOf(config.discoveryNetworks),
  };
}

function pagesOf(networks: readonly string[] | undefined): ClassifierConfig["isPageAllowed"] {
  try {
    return allowedPages(networks);
  } catch (cause) {
    if (!(cause instanceof NetworkError)) throw cause;
    throw new ConfigError(`configuration: discoveryNetworks: ${cause.message}`, { cause });
  }
}
