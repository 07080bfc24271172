/** Configuration of the collector. */
import { settingsSchema } from "@kvm-governor/policy";
import { hostServiceShape, listenAddress, loadConfig } from "@kvm-governor/service-kit";
import { z } from "zod";

export const configSchema = z.strictObject({
  ...hostServiceShape,
  /** HOST:PORT of the pages; port 0 is any free one. */
  listen: listenAddress.default("127.0.0.1:9471"),
  /** T_check, the same as the classifier's. */
  checkPeriodMs: settingsSchema.shape.checkPeriodMs,
  /** `off`: context switches from /proc/TID/status also where perf would count them. */
  perf: z.enum(["auto", "off"]).default("auto"),
  /** Where procfs of the host is mounted. */
  procRoot: z.string().min(1).default("/proc"),
  /** Where sysfs of the host is mounted. */
  sysRoot: z.string().min(1).default("/sys"),
  /** Addresses of the metrics pages of this host as others reach them, by service; by default as they are listened on. */
  metricsUrls: z.record(z.string().min(1).max(64), z.url().max(2048)).default({}),
});
export type CollectorConfig = z.output<typeof configSchema>;

/**
 * Reads the configuration: YAML file and environment, see loadConfig.
 * @throws {ConfigError} naming source and key
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  file?: string,
): CollectorConfig {
  return loadConfig(configSchema, file === undefined ? { env } : { env, file });
}
