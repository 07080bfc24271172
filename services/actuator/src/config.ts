import { hostServiceShape, listenAddress } from "@kvm-governor/service-kit";
import { z } from "zod";
import { limitsSchema } from "./limits/index.ts";

const auditSchema = z.strictObject({
  /** Size at which the audit file is put aside, in bytes. */
  bytesMax: z
    .int()
    .min(4096)
    .max(2 ** 40)
    .default(16 * 2 ** 20),
  /** Audit files kept, the present one included. */
  filesMax: z.int().min(1).max(1000).default(8),
});

export const actuatorSchema = z.object({
  ...hostServiceShape,
  /** HOST:PORT of the pages; port 0 is any free one. */
  listen: listenAddress.default("127.0.0.1:9473"),
  /** Local bounds, which no plan can override. */
  limits: limitsSchema.prefault({}),
  /** UUIDs or name patterns of guests that are never written to, whatever a plan says. */
  neverTouch: z.array(z.string().min(1).max(1024)).max(10_000).default([]),
  /** What to do about a value that somebody else wrote over ours: write it again, or leave it until the plan changes. */
  onDrift: z.enum(["reassert", "respect"]).default("reassert"),
  /**
   * What happens to guests when it ends: `restore` takes them back; `keep`, for an upgrade, leaves them held for the next one,
   * but only while something else stands guard and would take them back when the plan expires.
   */
  onStop: z.enum(["restore", "keep"]).default("restore"),
  audit: auditSchema.prefault({}),
  /** For the guardian: silence after which an actuator that follows no plan counts as frozen, in milliseconds. */
  guardSilenceMs: z.int().min(2000).max(3_600_000).default(10_000),
  /** Says what it would write and writes nothing. */
  dryRun: z.boolean().default(false),
});
export type ActuatorConfig = z.infer<typeof actuatorSchema>;
