/** What every service needs: configuration, log, pages, bus, start and stop. */
export * from "./bus/bus.ts";
export { createBusMetrics } from "./bus/metrics.ts";
export { BusAwayError, withoutCredentials } from "./bus/connection.ts";
export { PlanConflictError } from "./bus/plans.ts";
export type { PlanEntry, Plans } from "./bus/plans.ts";
export type { MessageKind } from "./bus/streams.ts";
export * from "./common-config.ts";
export * from "./config.ts";
export * from "./log.ts";
export * from "./page-registry.ts";
export * from "./pages.ts";
export * from "./readiness.ts";
export * from "./service.ts";
export * from "./fast-families.ts";
export { readTlsFiles, tlsFilesSchema } from "./tls-files.ts";
export type { NatsTls, TlsFiles, TlsMaterial } from "./tls-files.ts";
