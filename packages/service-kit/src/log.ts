/** Structured logs: JSON lines on standard output. Lines for people carry `event`, a kebab-case name. */
import { pino } from "pino";
import type { Logger } from "pino";

export type { Logger };

/** Keys that may hold a secret, wherever a caller logs its configuration. */
const secretKeys = ["natsPassword", "redisPassword", "password", "redisUrl", "natsUrl"];

/** @param context fields of every line, asked as it is written */
export function createLogger(service: string, level = "info", context?: () => object): Logger {
  return pino({
    // A new object each time: pino writes the line's own fields into it.
    ...(context !== undefined && { mixin: () => ({ ...context() }) }),
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: secretKeys.flatMap((key) => [key, `*.${key}`]), censor: "(not logged)" },
  });
}
