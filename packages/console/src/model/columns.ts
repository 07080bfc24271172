/**
 * Columns of a guest's course over time. `usage`, `delay`, `demand`: parts of its vCPUs. `count`: crossing count.
 * `entitlementCores`, `quotaCores`: what it may have, and what it is held to where quotas hold it. `switches`,
 * `involuntary`: context switches a second, all of them and the involuntary ones. `class`: 0 service, 1 scientific, 2 exempt.
 */
export const SERIES_COLUMNS = [
  "usage",
  "delay",
  "demand",
  "count",
  "entitlementCores",
  "quotaCores",
  "switches",
  "involuntary",
  "class",
] as const;
export type SeriesColumn = (typeof SERIES_COLUMNS)[number];
