/**
 * How much scientific guests get beside services that declared how long they may wait (`slaDelay`): rungs, in the order of what
 * scientific guests have. Without a declaration a host stands on {@link FIRST_RUNG}.
 *
 * Below it services wait although they rank first: CPUs that scientific guests had alone go back to all, then some of the
 * host is left idle. Never less than half is left to scientific guests: more would waste CPUs that services do not want.
 * Above it scientific guests have a weight of their own. They are then switched out less often, and services wait longer
 * (docs/decisions/0023-declared-latency.md has the figures).
 */
export interface Rung {
  /** Of a scientific guest, 1 being that of a service. */
  weight: "idle" | number;
  /** Whether scientific guests may have CPUs alone. */
  mayBeAlone: boolean;
  /** Part of what they could have if there were no services, at most. */
  part: number;
}

export const RUNGS: readonly Rung[] = [
  { weight: "idle", mayBeAlone: false, part: 0.5 },
  { weight: "idle", mayBeAlone: false, part: 0.75 },
  { weight: "idle", mayBeAlone: false, part: 1 },
  { weight: "idle", mayBeAlone: true, part: 1 },
  ...[0.125, 0.25, 0.5, 1, 2, 4, 8].map((weight) => ({ weight, mayBeAlone: true, part: 1 })),
];

/** Services first, and nothing kept from scientific guests: where a host begins, and where one without declarations stays. */
export const FIRST_RUNG = 3;
/** A scientific guest weighs as much as any other guest: what the kernel does by itself. */
export const EQUAL_RUNG = 7;
export const TOP_RUNG = RUNGS.length - 1;

/** @throws {RangeError} there is no such rung */
export function rungAt(rung: number): Rung {
  const found = RUNGS[rung];
  if (found === undefined) throw new RangeError(`rung ${rung} of ${RUNGS.length}`);
  return found;
}
