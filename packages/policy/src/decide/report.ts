/** What one decision saw and did, guest by guest. CPU amounts in cores; usage, delay and demand as parts of vCPUs. */
import type { GuestClass } from "../contracts/fields.ts";
import type { GuestPlan, Reason } from "../contracts/plan.ts";
import type { GuestSample } from "../contracts/sample.ts";
import type { Settings } from "../settings.ts";
import type { Kept } from "./kept.ts";
import type { DelayHold } from "./delay.ts";
import type { Managed } from "./managed.ts";
import { delayMissed } from "./delay-reasons.ts";
import { guestUse, isReadable } from "./use.ts";

export interface GuestReport {
  uuid: string;
  name: string;
  class: GuestClass | "exempt";
  /** False: paused, migrating, seen for the first time or not readable; its count was left alone. */
  readable: boolean;
  usage: number;
  delay: number;
  demand: number;
  crossed: boolean;
  count: number;
  movedFrom?: GuestClass;
  /** Its count would have moved it, but its counts moved it less than `coolDownMs` ago. */
  held?: true;
  entitlementCores: number;
  /** Declared by a service, and held: largest part of the time that its vCPUs may wait. */
  slaDelay?: number;
  reasons: readonly Reason[];
}

export interface Report {
  /** Every guest that is known: managed, not readable just now, exempt. */
  guests: readonly GuestReport[];
  /** CPU for scientific guests: what services, host and exempt guests leave. */
  availableCores: number;
  /** Declared SLAs exceed the host and were scaled by `slaScale`. */
  oversubscribed: boolean;
  slaScale: number;
  /** Rung that declared delays leave to scientific guests (decide/delay-ladder.ts); absent: nobody declared one. */
  delayRung?: number;
  /** Whether the plan differs from the last one, and so has a generation of its own. */
  changed: boolean;
  /** Guests that carry the UUID of another guest of the sample: only the first is managed. */
  duplicates: readonly { uuid: string; name: string }[];
}

export function managedReport(
  guest: Managed,
  plan: GuestPlan | undefined,
  entitlementCores: number,
  delay: DelayHold,
): GuestReport {
  const { sample, classified, use, readable } = guest;
  const slaDelay = plan?.slaDelay;
  const missed = delayMissed(guest, slaDelay, delay);
  return {
    uuid: sample.uuid,
    name: sample.name,
    class: classified.class,
    readable,
    usage: use.usage,
    delay: use.delay,
    demand: use.demand,
    crossed: classified.crossed,
    count: classified.count,
    ...(classified.movedFrom === undefined ? {} : { movedFrom: classified.movedFrom }),
    ...(classified.held === undefined ? {} : { held: classified.held }),
    entitlementCores,
    ...(slaDelay === undefined ? {} : { slaDelay }),
    reasons: missed === undefined ? (plan?.reasons ?? []) : [...(plan?.reasons ?? []), missed],
  };
}

/** A guest that could not be read at all: what was last known. Nothing is newly allotted to it. */
export function keptReport({ uuid, state, plan, reason }: Kept): GuestReport {
  return {
    uuid,
    name: state.name,
    class: state.class,
    readable: false,
    usage: state.usage,
    delay: 0,
    demand: state.usage,
    crossed: false,
    count: state.count,
    entitlementCores: 0,
    reasons: [
      ...(plan?.reasons ?? []),
      { code: "unreadable", text: `kept as it was: ${reason}`.slice(0, 1024) },
    ],
  };
}

export function exemptReport(guest: GuestSample, settings: Settings): GuestReport {
  const use = guestUse(guest, settings);
  const why =
    guest.declared.class === "exempt"
      ? `declared exempt by ${guest.declared.source ?? "its definition"}`
      : `${guest.exemptReason ?? "exempt"} guest: left alone unless its class is declared`;
  return {
    uuid: guest.uuid,
    name: guest.name,
    class: "exempt",
    readable: isReadable(guest),
    usage: use.usage,
    delay: use.delay,
    demand: use.demand,
    crossed: false,
    count: 0,
    entitlementCores: 0,
    reasons: [{ code: "exempt", text: why }],
  };
}
