/**
 * What a guest that is as its plan wants it must read, byte for byte: a tick that changes nothing compares raw bytes of open files and
 * decodes none of them.
 */
import { affinityTid, type ControlIo, type Guest, type Values } from "@kvm-governor/linux";
import type { GuestPlan } from "@kvm-governor/policy";
import { isSamePlan, type LocalLimits } from "./limits/index.ts";

export interface HeldUnder {
  plan: GuestPlan;
  guest: Guest;
  limits: LocalLimits;
  onDrift: "reassert" | "respect";
}

export class HeldValues {
  readonly #under: HeldUnder;
  readonly #keys: readonly string[];
  readonly #expected: readonly Buffer[];
  /** Values that the plan speaks about; the others bound them. */
  readonly verified: number;

  constructor(under: HeldUnder, values: Values, verified: number) {
    this.#under = under;
    this.#keys = [...values.keys()];
    this.#expected = [...values].map(([key, text]) =>
      Buffer.from(affinityTid(key) === undefined ? `${text}\n` : text),
    );
    this.verified = verified;
  }

  /** Whether these values are what is wanted now, too. */
  isFor({ plan, guest, limits, onDrift }: HeldUnder): boolean {
    const under = this.#under;
    return (
      under.guest === guest &&
      under.limits === limits &&
      under.onDrift === onDrift &&
      isSamePlan(plan, under.plan)
    );
  }

  /** Whether the kernel still has all of them. */
  stillHold(io: ControlIo): boolean {
    const keys = this.#keys;
    for (let at = 0; at < keys.length; at++) {
      if (!io.matches(keys[at] as string, this.#expected[at] as Buffer)) return false;
    }
    return true;
  }
}
