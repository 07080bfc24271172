/** Simulated hosts from a seed: the same seed makes the same hosts, guests and loads. */
import { seededRandom } from "../demo/random.ts";
import type { Series } from "./demand.ts";
import { SimHost } from "./sim-host.ts";

export interface HostsOptions {
  hosts: number;
  guests: number;
  vcpus: number;
  cpus: number;
  seed: number;
  speed: number;
  series: readonly Series[];
  /** Number of the boot, 0 to 2^32 - 1: hosts that are simulated again have booted anew. */
  boot?: number;
}

export function makeHosts(options: HostsOptions): SimHost[] {
  const { hosts, guests, vcpus, cpus, seed, speed, series, boot = 0 } = options;
  const bootHex = boot.toString(16).padStart(8, "0");
  return Array.from({ length: hosts }, (_, n) => {
    return new SimHost({
      id: `sim-${seed}-${n}`,
      bootId: `${bootHex}-0000-4000-8000-${String(n).padStart(12, "0")}`,
      guests,
      vcpus,
      cpus,
      series,
      speed,
      random: seededRandom(seed * 1_000_003 + n),
    });
  });
}
