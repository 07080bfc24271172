/** Real guests and real servers for the demo, the tests and the benchmarks. See the README. */
export { LabError } from "./errors.ts";
export { type CpuTune, type GuestSpec, POLICY_NAMESPACE, escapeXml, guestXml } from "./guest-xml.ts";
export { type GuestLoad, PC, QUIET, SCIENTIFIC, WEB } from "./images.ts";
export {
  type LibvirtExporter,
  type LibvirtExporterOptions,
  startLibvirtExporter,
} from "./libvirt-exporter.ts";
export { type Guest, Libvirt, type LibvirtOptions, startLibvirt } from "./libvirt.ts";
export { type NatsOptions, type NatsServer, startNats } from "./nats.ts";
export { type HttpServer, type PrometheusOptions, startAlertmanager, startPrometheus } from "./prometheus.ts";
export { type BareQemu, type BareQemuOptions, startBareQemu } from "./qemu.ts";
export { type RedisOptions, type RedisServer, startRedis } from "./redis.ts";
export {
  type RedisCluster,
  startRedisCluster,
  startWatchedRedis,
  type WatchedRedis,
} from "./redis-topologies.ts";
export { LoadControl, type Work } from "./serial.ts";
export { Server, freePort } from "./server.ts";
export { ToolboxError, Tools, ensureTools, whyNoTools } from "./tools.ts";
