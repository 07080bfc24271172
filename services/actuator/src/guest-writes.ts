/** Makes the writes of one guest, or says what they would be. */
import { executeWrites, readBack, readValues, reportOf, settableKeys, witnessOf } from "@kvm-governor/linux";
import type { AuditLog, ControlIo, GuestPlaces, PlannedWrites, Values } from "@kvm-governor/linux";
import type { Write, WriteResult } from "@kvm-governor/linux";
import type { GuestPlan, WriteReport } from "@kvm-governor/policy";
import type { Tracing } from "@kvm-governor/service-kit";
import { settingChanges, type SettingChange } from "./setting-changes.ts";

export type Planned = PlannedWrites & { values: Values; places: GuestPlaces };

export interface Written {
  results: readonly WriteResult[];
  writes: readonly WriteReport[];
  changes: readonly SettingChange[];
  /** What is there afterwards. */
  after: Values;
}

export interface WriteContext {
  io: ControlIo;
  audit: AuditLog | undefined;
  plan: GuestPlan;
  generation: number;
  /** Why nothing may be written any more; asked before each write. */
  forbidden: () => string | undefined;
  tracing: Tracing;
}

export async function makeWrites(
  { values, places }: Planned,
  writes: readonly Write[],
  context: WriteContext,
): Promise<Written> {
  const { io, audit, plan, generation, forbidden, tracing } = context;
  const reason = reasonText(plan);
  const witness = witnessOf(audit, { event: "write", guest: plan, generation, reason }, io);
  const made = await tracing.span({ name: "write" }, () => executeWrites(writes, io, forbidden, witness));
  const { results, after } = tracing.span({ name: "read back" }, (span) => {
    const read = { results: readBack(made, io), after: readValues(io, settableKeys(places)) };
    const wrong = read.results.find(({ error }) => error !== undefined);
    if (wrong?.error !== undefined) span.fail(wrong.code ?? "failed", wrong.error);
    return read;
  });
  return {
    results,
    writes: results.map((result) => reportOf(result, plan.uuid, places.mountPoints)),
    changes: settingChanges(places, values, after),
    after,
  };
}

/** The same as if each write had been made. */
export function wouldWrite(
  { places, values }: Planned,
  writes: readonly Write[],
  plan: Pick<GuestPlan, "uuid">,
): Written {
  const results = writes.map((write) => ({ write, old: values.get(write.key) ?? "" }));
  const after = new Map([...values, ...writes.map(({ key, text }) => [key, text] as const)]);
  return {
    results,
    writes: results.map((result) => reportOf(result, plan.uuid, places.mountPoints)),
    changes: settingChanges(places, values, after),
    after,
  };
}

const reasonText = (plan: Pick<GuestPlan, "reasons">): string =>
  plan.reasons.map(({ text }) => text).join("; ") || "no reason given";
