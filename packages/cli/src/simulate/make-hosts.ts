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
  /** Begins the ids of the hosts. */
  prefix?: string;
}

export function makeHosts(options: HostsOptions): SimHost[] {
  const { hosts, guests, vcpus, cpus, seed, speed, series, prefix = "sim" } = options;
  const boots = seededRandom(seed);
  return Array.from({ length: hosts }, (_, n) => {
    const boot = Math.floor(boots() * 2 ** 32)
      .toString(16)
      .padStart(8, "0");
    return new SimHost({
      id: `${prefix}-${seed}-${n}`,
      bootId: `${boot}-0000-4000-8000-${String(n).padStart(12, "0")}`,
      guests,
      vcpus,
      cpus,
      series,
      speed,
      random: seededRandom(seed * 1_000_003 + n),
    });
  });
}
