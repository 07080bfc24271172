/** Reading and writing what holds a guest: bandwidth, weight, CPUs, affinity. */
export { bandwidthOf, ratioOf, type BandwidthState } from "./bandwidth.ts";
export { cpusetKey } from "./cpuset.ts";
export * from "./execute.ts";
export * from "./kernel-io.ts";
export * from "./places.ts";
export * from "./plan-writes.ts";
export { weightOf, type WeightState } from "./weight.ts";
export { affinityKey, affinityTid, type Setting, type Values, type Write } from "./write.ts";
