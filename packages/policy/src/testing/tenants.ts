/** Guests as placement sees them, by hand. */
import type { Tenant } from "../decide/place.ts";
import { uuidOf } from "./hosts.ts";

/** A service that is entitled to so many cores. */
export const service = (n: number, cores: number, rest: Partial<Tenant> = {}): Tenant => ({
  uuid: uuidOf(n),
  class: "service",
  vcpus: Math.ceil(cores),
  assuredCores: cores,
  ...rest,
});

/** A scientific guest whose share is assured, unless said otherwise. */
export const batch = (n: number, vcpus: number, rest: Partial<Tenant> = {}): Tenant => ({
  uuid: uuidOf(n),
  class: "scientific",
  vcpus,
  assuredCores: vcpus,
  ...rest,
});
