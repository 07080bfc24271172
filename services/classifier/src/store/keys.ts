/**
 * Names of keys in Redis, in one place. All keys of one host carry the hash tag `{<host>}`, so they lie in one slot
 * of a cluster and one script may change them together.
 */

/** Set of all hosts that had a tick and were not forgotten: an index for the API, not part of any host's state. */
export const HOSTS_KEY = "kvmgov:hosts";

/** Hash of the tick: version, bootId, sequence, wallTimeMs, generation, plan (JSON, of the tick that last changed it), expiresAtUs, heardAtMs. */
export const tickKey = (host: string): string => `kvmgov:{${host}}:tick`;

/** Set of UUIDs: LIST_se of the paper. */
export const serviceKey = (host: string): string => `kvmgov:{${host}}:service`;

/** Set of UUIDs: LIST_sc of the paper. */
export const scientificKey = (host: string): string => `kvmgov:{${host}}:scientific`;

/** Hash of one guest: name, count, since, class, declared, usage, delay (JSON, of services that declared one). */
export const guestKey = (host: string, uuid: string): string => `kvmgov:{${host}}:guest:${uuid}`;

/** Hash of which host a guest is on, whatever host that is: host, from, carried. In a slot of its own. */
export const guestPlaceKey = (uuid: string): string => `kvmgov:guest:{${uuid}}`;
