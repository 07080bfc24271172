/** Which faults come when: the same seed, the same faults. */
import type { Seeded } from "../support/seeded.ts";
import { KINDS } from "./faults.ts";
import type { FaultKind, KindOfFault } from "./faults.ts";

export interface Step {
  faults: readonly { kind: FaultKind; seconds: number }[];
  /** Quiet after it, in seconds. */
  quiet: number;
}

const SECOND_PART = 0.25;
const QUIET = [1, 3] as const;

const kindOf = (kind: FaultKind): KindOfFault => KINDS[kind];

/** Kinds that can be struck here. */
export function kindsFor(canCut: boolean): FaultKind[] {
  return (Object.keys(KINDS) as FaultKind[]).filter((kind) => canCut || !kindOf(kind).needsNamespaces);
}

/** Each kind once, in an order of chance, and no two at once: for a short run. */
export function once(kinds: readonly FaultKind[], random: Seeded): Step[] {
  return shuffled(kinds, random).map((kind) => ({
    faults: [{ kind, seconds: kindOf(kind).seconds[0] }],
    quiet: QUIET[0],
  }));
}

/** Rounds of all kinds without end, each in an order of chance; some with a second fault of another layer. */
export function* endless(kinds: readonly FaultKind[], random: Seeded): Generator<Step> {
  for (;;) {
    for (const kind of shuffled(kinds, random)) {
      const { layer } = kindOf(kind);
      const others = kinds.filter((other) => kindOf(other).layer !== layer);
      const isDouble = others.length > 0 && random.next() < SECOND_PART;
      const struck = isDouble ? [kind, random.pick(others)] : [kind];
      yield {
        faults: struck.map((each) => ({ kind: each, seconds: random.between(...kindOf(each).seconds) })),
        quiet: random.between(...QUIET),
      };
    }
  }
}

function shuffled<T>(values: readonly T[], random: Seeded): T[] {
  return values
    .map((value) => ({ value, at: random.next() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value);
}
