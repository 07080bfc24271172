/** One sample a tick: everything read, deltas taken, the contract filled. */
import { CONTRACT_VERSION, type Declared, type GuestSample, type Sample } from "@kvm-governor/policy";
import type { Guest, GuestInventory } from "../guests/guest.ts";
import type { MemoryShare } from "../memory/memory-nodes.ts";
import { guestRunOf, guestSampleOf } from "./guest-sample.ts";
import type { GuestSampler } from "./guest-sampler.ts";
import type { HostCounters, HostReading } from "./host-counters.ts";

export interface SamplerClocks {
  /** CLOCK_BOOTTIME in microseconds. */
  bootTimeUs: () => number;
  /** Wall clock in milliseconds since 1970. */
  wallTimeMs: () => number;
}

export interface SamplerOptions {
  host: string;
  bootId: string;
  guests: GuestSampler;
  hostCounters: HostCounters;
  clocks: SamplerClocks;
  /** Where a guest's memory lies; undefined: not known. */
  memoryOf?: (guest: Guest) => readonly MemoryShare[] | undefined;
}

/** What a tick found. */
export interface Tick {
  host: HostReading;
  /** Undefined at the first tick, and where the host's own use could not be read: an unknown is not sent as 0. */
  sample: Sample | undefined;
}

export class Sampler {
  readonly #options: SamplerOptions;
  #lastUs: number | undefined;

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  /**
   * Reads all counters and takes the deltas since the tick before. Throws nothing: failures are in the sources, guests that
   * failed are named in the sample.
   * @param declare what an operator says of a guest
   */
  tick(inventory: GuestInventory, declare: (guest: Guest) => Declared): Tick {
    const { guests: sampler, hostCounters, clocks } = this.#options;
    const nowUs = clocks.bootTimeUs();
    const host = hostCounters.read();
    const { readable, unreadable } = sampler.read(inventory, host.pressureSinceUs !== 0);
    const { memoryOf } = this.#options;
    const guests = readable.map((counters) => {
      const { guest } = counters;
      return guestSampleOf(counters, declare(guest), memoryOf?.(guest));
    });
    for (const counters of readable) counters.mark();
    const elapsedUs = this.#lastUs === undefined ? undefined : nowUs - this.#lastUs;
    this.#lastUs = nowUs;
    if (elapsedUs === undefined || elapsedUs <= 0 || host.used === undefined)
      return { host, sample: undefined };
    const sample: Sample = {
      schema: CONTRACT_VERSION,
      host: this.#options.host,
      bootId: this.#options.bootId,
      sequence: nowUs,
      wallTimeMs: clocks.wallTimeMs(),
      periodMs: elapsedUs / 1000,
      cpus: [...host.usableCpus],
      hostRun: hostRunOf(host, guests),
      guests,
      unreadable: unreadable.map(({ uuid, name, reason }) => ({
        ...(uuid !== undefined && { uuid }),
        name,
        reason,
      })),
    };
    if (host.pressureSinceUs !== undefined) sample.pressure = Math.min(2, host.pressureSinceUs / elapsedUs);
    return { host, sample };
  }
}

/**
 * Use of the usable CPUs by everything that is no guest, in cores: all that was used (time that a hypervisor below took
 * counts: nobody here can have it), less what the guests ran there. The kernel counts both at different moments, so that
 * a difference below 0 is 0.
 */
export function hostRunOf({ used, usableCpus }: HostReading, guests: readonly GuestSample[]): number {
  if (used === undefined) return 0;
  const usable = new Set(usableCpus);
  const ranThere = guests.reduce((sum, guest) => {
    const elsewhere = guest.allowedCpus !== undefined && !guest.allowedCpus.some((cpu) => usable.has(cpu));
    return elsewhere ? sum : sum + guestRunOf(guest);
  }, 0);
  return Math.max(0, used.busy + used.steal - ranThere);
}
