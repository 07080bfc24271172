/** Parts of expressions (PromQL) that several panels share. */

/** Guests of one kind, to be joined to what is measured of them: `X and ${SERVICE}`. */
export const SERVICE = "on (host, uuid) kvmgov:guest_scientific:max == 0";
export const SCIENTIFIC = "on (host, uuid) kvmgov:guest_scientific:max == 1";
/** Guests that are held away from their baseline. */
export const HELD = "on (host, uuid) kvmgov_actuator_guest_held == 1";

/** Joins the name of a host to series that have label `host`. */
export function named(expr: string): string {
  return `${expr} * on (host) group_left (name) kvmgov:host_name:info`;
}

/** Joins the name of a guest to series that have labels `host` and `uuid`. */
export function guestNamed(expr: string): string {
  return `${expr} * on (host, uuid) group_left (name) kvmgov:guest_name:info`;
}
