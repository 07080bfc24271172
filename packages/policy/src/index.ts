/** The pure part: contracts, settings, decisions. Needs nothing but its arguments. */
export * from "./contracts/applied.ts";
export * from "./contracts/fields.ts";
export * from "./contracts/host.ts";
export * from "./contracts/parse.ts";
export * from "./contracts/plan.ts";
export * from "./contracts/sample.ts";
export * from "./contracts/subjects.ts";
export * from "./settings.ts";
export * from "./state.ts";
export * from "./cpu-list.ts";
export * from "./exemption.ts";
export { decide } from "./decide/decide.ts";
export type { Decision } from "./decide/decide.ts";
export type { GuestReport, Report } from "./decide/report.ts";
export { maxMinFair } from "./decide/max-min.ts";
export type { Claim } from "./decide/max-min.ts";
export * from "./name-pattern.ts";
export * from "./rules.ts";
