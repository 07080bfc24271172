/** host: what a host is. Published on `kvmgov.v1.host.<host>` at start, on change, and as a heartbeat. */
import { z } from "zod";
import { bootId, bootTimeUs, cpuNumber, hostId, schemaVersion } from "./fields.ts";

export const cpuTopologySchema = z.object({
  cpu: cpuNumber,
  package: z.int().min(-1),
  node: z.int().min(0),
  /** Lowest CPU of those that share the last-level cache. */
  llc: cpuNumber,
  /** Lowest CPU of those that share the core (SMT siblings). */
  core: cpuNumber,
  /** Speed against others of this host (cpu_capacity: the fastest has 1024); absent where the kernel does not say. */
  capacity: z.number().positive().max(65_536).optional(),
  isolated: z.boolean(),
});
export type CpuTopology = z.infer<typeof cpuTopologySchema>;

export const hostSchema = z.object({
  schema: schemaVersion,
  host: hostId,
  name: z.string().min(1).max(253),
  bootId,
  wallTimeMs: z.int().min(0),
  /** CLOCK_BOOTTIME when this was made; absent: a version before 0.2. Tells a host that booted from another machine with its id. */
  bootTimeUs: bootTimeUs.optional(),
  kernel: z.string().max(256),
  cgroupVersion: z.union([z.literal(0), z.literal(1), z.literal(2)]),
  /** Online CPUs. */
  topology: z.array(cpuTopologySchema).min(1).max(65_536),
  /** What this kernel offers: `cpu.idle`, `perf`, `psi`, `burst`. */
  capabilities: z.array(z.string().max(64)).max(64),
  /** Addresses of the metrics pages on this host, by service. */
  metrics: z.record(z.string(), z.string().max(2048)),
});
export type Host = z.infer<typeof hostSchema>;
