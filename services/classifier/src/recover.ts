/** What to go on from when the store and the last plan disagree, or one of them is lost. Pure. */
import type { HostState, Plan } from "@kvm-governor/policy";

/** Point of a host's history: plans and states are ordered by it. */
export interface HistoryPoint {
  bootId: string;
  generation: number;
  sequence: number;
}

/**
 * Whether `a` was decided after `b`. Generations only grow; within one of them a newer sample of the same boot renews.
 * Two boots of a host have no common clock, so an equal generation of another boot is not newer.
 */
export function isNewer(a: HistoryPoint, b: HistoryPoint): boolean {
  if (a.generation !== b.generation) return a.generation > b.generation;
  return a.bootId === b.bootId && a.sequence > b.sequence;
}

export function isSamePoint(a: HistoryPoint, b: HistoryPoint): boolean {
  return a.bootId === b.bootId && a.generation === b.generation && a.sequence === b.sequence;
}

/** State of a host as its plan carries it: lists, counts and since. Usage and declarations come with the next sample. */
export function stateFromPlan(plan: Plan): HostState {
  const guests: HostState["guests"] = {};
  for (const guest of plan.guests) {
    guests[guest.uuid] = {
      name: guest.name,
      class: guest.class,
      count: guest.count,
      since: guest.since,
      declared: "auto",
      usage: 0,
    };
  }
  const { bootId, sequence, generation } = plan;
  return { bootId, sequence, wallTimeMs: 0, generation, guests, plan };
}

/** The newer of the stored state and the published plan; the stored one where neither is (it knows more). */
export function newestState(stored: HostState | undefined, plan: Plan | undefined): HostState | undefined {
  if (plan === undefined) return stored;
  if (stored === undefined || isNewer(plan, stored)) return stateFromPlan(plan);
  return stored;
}

/**
 * A state whose next generation is above one that an actuator has already seen. Its plan is dropped where it is older:
 * an actuator would refuse to go back to it, so it must not be kept as unchanged.
 */
export function aboveGeneration(
  state: HostState | undefined,
  seen: HistoryPoint | undefined,
): HostState | undefined {
  if (seen === undefined || (state !== undefined && state.generation >= seen.generation)) return state;
  if (state === undefined) {
    return { bootId: seen.bootId, sequence: 0, wallTimeMs: 0, generation: seen.generation, guests: {} };
  }
  const { plan: _older, ...rest } = state;
  return { ...rest, generation: seen.generation };
}
