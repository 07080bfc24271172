/**
 * Flags of Node for each service, in one place for the supervisor and the benchmarks. `deploy/release/bin/kvmgov-service`, the images and
 * docker-compose.yml cannot read it; a test holds them to it.
 */

/**
 * Megabytes of each half of the young generation, at most. Collector and actuator make little garbage a tick, and a small one
 * saves tens of megabytes a process. A classifier of a large fleet has many ticks in hand, and with 2 MB what they hold is taken for old: 29%
 * more CPU a tick, and with 32 MB no less than with 16 (docs/benchmarks.md, classifier). Where there is little to do it stays small by itself.
 */
export const SEMI_SPACE_MB = { collector: 2, classifier: 16, actuator: 2 } as const;

/** Services that the supervisor starts. */
export type ServiceName = keyof typeof SEMI_SPACE_MB;

/** What stands between `node` and the service's main file. */
export function nodeFlags(name: ServiceName): string[] {
  return [`--max-semi-space-size=${SEMI_SPACE_MB[name]}`, "--disable-warning=ExperimentalWarning"];
}
