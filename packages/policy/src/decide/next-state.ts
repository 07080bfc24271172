/** What is remembered of a host after a decision. */
import type { Plan } from "../contracts/plan.ts";
import type { Sample } from "../contracts/sample.ts";
import type { GuestState, HostState } from "../state.ts";
import type { Apart } from "./apart.ts";
import type { DelayHold } from "./delay.ts";
import type { Kept } from "./kept.ts";
import type { Managed } from "./managed.ts";

export function nextState(
  sample: Sample,
  plan: Plan,
  managed: readonly Managed[],
  kept: readonly Kept[],
  { delay, apart }: { delay: DelayHold; apart: Apart },
): HostState {
  const guests: Record<string, GuestState> = {};
  for (const { sample: guest, classified, use, since } of managed) {
    const remembered = delay.states.get(guest.uuid);
    const starvedUs = apart.starvedUs.get(guest.uuid);
    guests[guest.uuid] = {
      name: guest.name,
      class: classified.class,
      count: classified.count,
      since,
      declared: guest.declared.class,
      usage: use.usage,
      ...(remembered === undefined ? {} : { delay: remembered }),
      ...(starvedUs === undefined ? {} : { starvedUs }),
    };
  }
  for (const { uuid, state } of kept) {
    const remembered = delay.states.get(uuid);
    guests[uuid] = remembered === undefined ? state : { ...state, delay: remembered };
  }
  return {
    bootId: sample.bootId,
    sequence: sample.sequence,
    wallTimeMs: sample.wallTimeMs,
    generation: plan.generation,
    guests,
    plan,
  };
}
