/** CPUs that exempt guests are pinned to: theirs in part, whatever they use at the moment. */
import type { GuestSample } from "../contracts/sample.ts";
import { steadyCores } from "./allocate.ts";

/** A vCPU that may run on more CPUs than this is counted by what it uses, as an unpinned one is. */
const PINS_MAX = 4;

/** From this part on, a CPU is somebody else's: whoever had it "alone" would not. */
export const CLAIMED_BY_OTHERS = 0.5;

export interface Claims {
  /** Part of each CPU that is claimed, 0 to 1, by CPU number; CPUs that nobody claims are left out. */
  parts: ReadonlyMap<number, number>;
  /** What the claimants use now, in cores: already counted by their claims. */
  usedCores: number;
}

/** Claims do not follow load: a dedicated guest that rests for a second still owns its CPUs, and plans stay steady. */
export function claimsOf(exempt: readonly GuestSample[], cpus: readonly number[]): Claims {
  const parts = new Map<number, number>();
  let usedCores = 0;
  if (exempt.length === 0) return { parts, usedCores };
  const usable = new Set(cpus);
  for (const guest of exempt) {
    for (const vcpu of guest.vcpus) {
      const pins = vcpu.allowedCpus ?? guest.allowedCpus;
      if (pins === undefined || pins.length > Math.max(PINS_MAX, guest.vcpus.length)) continue;
      const part = 1 / pins.length;
      let counted = 0;
      for (const cpu of pins) {
        if (!usable.has(cpu)) continue;
        parts.set(cpu, Math.min(1, steadyCores((parts.get(cpu) ?? 0) + part)));
        counted += part;
      }
      usedCores += steadyCores(vcpu.run * counted);
    }
  }
  return { parts, usedCores };
}
