/** What one decision saw and did, guest by guest. CPU amounts in cores; usage, delay and demand as parts of vCPUs. */
import type { GuestClass } from "../contracts/fields.ts";
import type { Reason } from "../contracts/plan.ts";

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
  entitlementCores: number;
  reasons: readonly Reason[];
}

export interface Report {
  guests: readonly GuestReport[];
  /** CPU for scientific guests: what services, host and exempt guests leave. */
  availableCores: number;
  /** Declared SLAs exceed the host and were scaled by `slaScale`. */
  oversubscribed: boolean;
  slaScale: number;
  /** Whether the plan differs from the last one, and so has a generation of its own. */
  changed: boolean;
  /** Guests that carry the UUID of another guest of the sample: only the first is managed. */
  duplicates: readonly { uuid: string; name: string }[];
}
