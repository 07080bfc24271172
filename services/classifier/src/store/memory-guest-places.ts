/** Places of guests in the memory of one process: for tests, and the model that Redis is tested against. Forgets nothing by time. */
import type { CarriedGuest } from "@kvm-governor/policy";
import type { GuestPlace, GuestPlaces } from "./guest-places.ts";

export class MemoryGuestPlaces implements GuestPlaces {
  readonly #places = new Map<string, GuestPlace>();

  async arrive(uuid: string, host: string): Promise<GuestPlace | undefined> {
    const found = this.#places.get(uuid);
    if (found === undefined) this.#places.set(uuid, { host });
    return found;
  }

  async take(uuid: string, host: string, from: string, carried: CarriedGuest | undefined): Promise<void> {
    this.#places.set(uuid, carried === undefined ? { host } : { host, from, carried });
  }

  async leave(uuid: string, host: string, carried: CarriedGuest): Promise<void> {
    const found = this.#places.get(uuid);
    if (found === undefined || found.host === host) this.#places.set(uuid, { host, from: host, carried });
  }
}
