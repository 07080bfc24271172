import { hostServiceShape, listenAddress } from "@kvm-governor/service-kit";
import { z } from "zod";

export const limitsSchema = z.strictObject({
  /** Least bandwidth of one vCPU, in cores: no plan goes below it. */
  floorCores: z.number().min(0).max(1).default(0.05),
  /** Longest that a plan holds without being renewed, in milliseconds, whatever it says itself. */
  planTtlMsMax: z.int().min(200).max(86_400_000).default(600_000),
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
  /** Says what it would write and writes nothing. */
  dryRun: z.boolean().default(false),
});
export type ActuatorConfig = z.infer<typeof actuatorSchema>;
