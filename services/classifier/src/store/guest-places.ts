/**
 * Which host a guest is on, by its UUID, and what was known of it on the host before: so that a guest that migrates keeps
 * its list and its count. Apart from the hosts' own state: in a cluster it lies in another slot.
 */
import type { CarriedGuest } from "@kvm-governor/policy";

export interface GuestPlace {
  /** Host that has the guest, or had it last. */
  host: string;
  /** Host that `carried` speaks of: `host` itself where the guest left it once, else the one from which `host` took it. */
  from?: string;
  carried?: CarriedGuest;
  /** What is stored under `carried` is not what its contract says: why. */
  problem?: string;
}

/** Every call may be repeated. @throws {StoreUnavailableError} each */
export interface GuestPlaces {
  /**
   * Says that the guest is on this host now. Where another host has it, or had it last, nothing changes: find out what is known of
   * it there, and {@link take} it.
   * @returns what was there before
   */
  arrive(uuid: string, host: string): Promise<GuestPlace | undefined>;
  /** Says that the guest is on this host now, and what was known of it where it comes from (if anything). */
  take(uuid: string, host: string, from: string, carried: CarriedGuest | undefined): Promise<void>;
  /** Says that the guest left this host, and keeps what is known of it for a while. Nothing where another host has it. */
  leave(uuid: string, host: string, carried: CarriedGuest, keepMs: number): Promise<void>;
}
