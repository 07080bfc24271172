/** The paper's two algorithms for one guest and one period. */
import type { Declared } from "../contracts/sample.ts";
import type { GuestClass } from "../contracts/fields.ts";
import { downThreshold } from "../settings.ts";
import type { Settings } from "../settings.ts";
import type { GuestState } from "../state.ts";
import type { GuestUse } from "./use.ts";

export interface Classified {
  class: GuestClass;
  count: number;
  /** Whether the guest crossed alpha this period, in the sense of its list. */
  crossed: boolean;
  movedFrom?: GuestClass;
  /** Its count would have moved it, but it came into its list too recently (`coolDownMs`). */
  held?: true;
}

/** Where a guest that was never seen before begins: what was declared, else LIST_se. */
export function firstClass(declared: Declared): GuestClass {
  return declared.class === "scientific" ? "scientific" : "service";
}

/**
 * Algorithm 1 (paper): in LIST_se a guest crosses when its signal is at or above alpha, in LIST_sc when it is below
 * (preset `default`: below `alphaDown`); crossing counts up, not crossing down, never below 0.
 * Algorithm 2 (paper): more than beta crossings move the guest to the other list, with the count at 0. A guest that came
 * back to LIST_se and cools down (preset `default`) stays there, with the count at beta: the first crossing after that moves it.
 * The way out of LIST_sc is always open: a service must not wait for an hour below all others because it was busy once.
 * A declared class wins: such a guest is never counted.
 *
 * @param cooling its counts moved it less than `coolDownMs` ago
 */
export function classify(
  previous: Pick<GuestState, "class" | "count">,
  declared: Declared,
  use: GuestUse,
  settings: Settings,
  cooling = false,
): Classified {
  if (declared.class === "service" || declared.class === "scientific") {
    const moved = previous.class !== declared.class;
    return {
      class: declared.class,
      count: 0,
      crossed: false,
      ...(moved ? { movedFrom: previous.class } : {}),
    };
  }
  const signal = settings.signal === "run" ? use.usage : use.demand;
  const crossed = previous.class === "service" ? signal >= settings.alpha : signal < downThreshold(settings);
  // A beta that was lowered since does not move a guest that crosses no more.
  const before = Math.min(previous.count, settings.beta);
  const count = Math.max(0, before + (crossed ? 1 : -1));
  if (count <= settings.beta) return { class: previous.class, count, crossed };
  if (cooling && previous.class === "service")
    return { class: previous.class, count: settings.beta, crossed, held: true };
  const other = previous.class === "service" ? "scientific" : "service";
  return { class: other, count: 0, crossed, movedFrom: previous.class };
}
