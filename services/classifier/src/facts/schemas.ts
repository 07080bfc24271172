/** What classifiers tell each other of hosts, as JSON, part by part. Times are Unix milliseconds of who answers. */
import {
  bootId,
  bootTimeUs,
  cores,
  cpuNumber,
  guestClass,
  guestName,
  guestPlanSchema,
  guestSampleSchema,
  guestUuid,
  hostId,
  planSchema,
  reasonSchema,
  sampleSchema,
  switchReason,
  appliedSchema,
  writeReportSchema,
  driftReportSchema,
} from "@kvm-governor/policy";
import { SERIES_COLUMNS } from "@kvm-governor/console";
import { z } from "zod";
import { DRIFT_MAX, HOLDS_MAX, MOVES_MAX, WRITES_MAX } from "../history.ts";
import { COARSE, FINE } from "../series/series.ts";

const GUESTS_MAX = 16_384;
export const atMs = z.int().min(0);
const count = z.int().min(0);
const classOrExempt = z.enum(["service", "scientific", "exempt"]);

const guestReportSchema = z.object({
  uuid: guestUuid,
  name: guestName,
  class: classOrExempt,
  readable: z.boolean(),
  usage: z.number(),
  delay: z.number(),
  demand: z.number(),
  crossed: z.boolean(),
  count,
  movedFrom: guestClass.exactOptional(),
  held: z.literal(true).exactOptional(),
  entitlementCores: cores,
  slaDelay: z.number().exactOptional(),
  // Those of the plan, and one more of a guest that could not be read.
  reasons: z.array(reasonSchema).max(128),
});

const reportSchema = z.object({
  guests: z.array(guestReportSchema).max(GUESTS_MAX),
  availableCores: z.number(),
  oversubscribed: z.boolean(),
  slaScale: z.number(),
  changed: z.boolean(),
  delayRung: z.number().exactOptional(),
  duplicates: z.array(z.object({ uuid: guestUuid, name: guestName })).max(GUESTS_MAX),
});

const { wallTimeMs, periodMs, pressure, unreadable } = sampleSchema.shape;

const tickSchema = z.object({
  sample: z.object({
    bootId,
    sequence: bootTimeUs,
    wallTimeMs,
    periodMs,
    cpus: z.array(cpuNumber).max(65_536),
    hostRunCores: cores,
    pressure,
    guests: count,
    unreadable,
  }),
  guests: z.array(guestSampleSchema).max(GUESTS_MAX),
  report: reportSchema,
  plan: planSchema,
  decidedAtMs: atMs,
  shortSince: z.array(z.tuple([guestUuid, atMs])).max(GUESTS_MAX),
});

const appliedSummarySchema = z.object({
  generation: count,
  sampleToReadBackMs: z.number(),
  verified: count,
  writes: count,
  errors: count,
  drift: count,
  skipped: appliedSchema.shape.skipped,
  switchFired: switchReason.optional(),
  dryRun: z.boolean(),
  receivedAtMs: atMs,
});

const troubleSchema = z.object({ atMs, count }).exactOptional();

/** One host: what its classifier remembers, but for what the host announced, which all hear. */
export const factsSchema = z.object({
  tick: tickSchema.exactOptional(),
  applied: appliedSummarySchema.exactOptional(),
  troubles: z.object({ errors: troubleSchema, drift: troubleSchema }).exactOptional(),
  knownSinceMs: atMs.exactOptional(),
});

const guestWrite = writeReportSchema.omit({ guest: true });
const { vcpus, weight, emulatorCpus, ioThreadCpus } = guestPlanSchema.shape;

const pastDecisionSchema = z.object({
  atMs,
  generation: count,
  kind: z.enum(["first", "moved", "held"]),
  class: guestClass,
  movedFrom: guestClass.exactOptional(),
  usage: z.number(),
  delay: z.number(),
  demand: z.number(),
  reasons: z.array(reasonSchema).max(64),
  held: z.object({ vcpus, weight, emulatorCpus, ioThreadCpus }),
});

export const historySchema = z.object({
  decisions: z.array(pastDecisionSchema).max(MOVES_MAX + HOLDS_MAX),
  writes: z.array(guestWrite.extend({ atMs, generation: count, times: count })).max(WRITES_MAX),
  drift: z.array(driftReportSchema.omit({ guest: true }).extend({ atMs })).max(DRIFT_MAX),
  wouldWrite: z.array(guestWrite).max(WRITES_MAX),
  skipped: z.object({ reason: z.string().max(1024), atMs }).nullable(),
});

const pointsSchema = (most: number) =>
  z.array(z.array(z.number().nullable()).length(SERIES_COLUMNS.length + 1)).max(most);

export const seriesSchema = z.object({
  fine: pointsSchema(FINE.points),
  coarse: pointsSchema(COARSE.points),
  isFollowed: z.boolean(),
});

const severity = z.enum(["critical", "warning", "info"]);
/** Texts of rows: words of ours with names of guests in them. */
const words = z.string().max(16_384);

const rowSchema = z.object({
  name: words,
  known: z.boolean(),
  capacityCores: cores.nullable(),
  serviceCores: z.number(),
  scientificCores: z.number(),
  exemptCores: z.number(),
  hostCores: z.number(),
  idleCores: z.number().nullable(),
  availableCores: z.number().nullable(),
  services: count,
  scientific: count,
  exempt: count,
  generation: count.nullable(),
  actuator: words,
  severity: severity.or(z.literal("")),
  alarms: count,
  sampleAtMs: atMs.nullable(),
  staleAfterMs: z.number().min(0),
});

const alarmSchema = z.object({
  severity,
  code: z.string().max(256),
  host: hostId,
  hostName: words,
  guest: guestUuid.or(z.literal("")),
  guestName: words,
  text: words,
  sinceMs: atMs.nullable(),
});

/** Alarms of one host that are passed on: the worst ones; its row counts all. */
export const ALARMS_MAX = 50;

export const lineSchema = z.object({
  id: hostId,
  row: rowSchema,
  alarms: z.array(alarmSchema).max(ALARMS_MAX),
  lastHeardMs: atMs,
});

export const foundSchema = z.object({ host: hostId, uuid: guestUuid, name: guestName, class: classOrExempt });

/** Of one guest, for the writes of a host. */
export const guestWritesSchema = historySchema
  .pick({ writes: true, wouldWrite: true, skipped: true })
  .extend({ uuid: guestUuid });
