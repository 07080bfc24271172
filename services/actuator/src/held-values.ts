/**
 * What a guest that is as its plan wants it must read, byte for byte: a tick that changes nothing compares raw bytes of open files and
 * decodes none of them.
 */
import { affinityTid, type ControlIo, type Guest, type Values, type WantedValue } from "@kvm-governor/linux";
import type { GuestPlan } from "@kvm-governor/policy";
import { isSamePlan, type Bound, type LocalLimits } from "./limits/index.ts";

export interface HeldUnder {
  plan: GuestPlan;
  guest: Guest;
  limits: LocalLimits;
  onDrift: "reassert" | "respect";
}

export interface HeldOutcome {
  /** Values that the plan speaks about and that were compared; others that are compared bound them. */
  verified: number;
  /** What binds as long as plan and values stay the same. */
  problems: readonly Bound[];
}

/** Which part of the values is looked at: all of them in `turns` ticks. */
export interface Turn {
  turn: number;
  turns: number;
}

/** Values that are compared in a tick that changes nothing: 1.5 ms or so. Hosts with more held values compare them in turns. */
const VALUES_A_TICK = 500;

/** @param held values that are held on the whole host */
export const turnOf = (tick: number, held: number): Turn => ({
  turn: tick,
  turns: Math.max(1, Math.ceil(held / VALUES_A_TICK)),
});

interface Expected {
  key: string;
  bytes: Buffer;
  /** Whether the plan speaks about it; the others bound what it speaks about. */
  isWanted: boolean;
}

export class HeldValues {
  readonly #under: HeldUnder;
  readonly #problems: readonly Bound[];
  readonly #expected: readonly Expected[];

  constructor(
    under: HeldUnder,
    values: Values,
    { wanted, problems }: { wanted: readonly WantedValue[]; problems: readonly Bound[] },
  ) {
    this.#under = under;
    this.#problems = problems;
    const wantedKeys = new Set(wanted.map(({ key }) => key));
    this.#expected = [...values].map(([key, text]) => ({
      key,
      bytes: Buffer.from(affinityTid(key) === undefined ? `${text}\n` : text),
      isWanted: wantedKeys.has(key),
    }));
  }

  get count(): number {
    return this.#expected.length;
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

  /** Compares a turn's part with the kernel's. @returns undefined where one of them is not there any more */
  verify(io: ControlIo, { turn, turns }: Turn): HeldOutcome | undefined {
    let verified = 0;
    for (let at = turn % turns; at < this.#expected.length; at += turns) {
      const { key, bytes, isWanted } = this.#expected[at] as Expected;
      if (!io.matches(key, bytes)) return undefined;
      if (isWanted) verified++;
    }
    return { verified, problems: this.#problems };
  }
}
