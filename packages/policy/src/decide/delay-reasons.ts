/** What is said of declared delays, in words. */
import type { Reason } from "../contracts/plan.ts";
import type { Settings } from "../settings.ts";
import { DEBT_ALLOWED } from "./delay-control.ts";
import type { DelayHold } from "./delay.ts";
import { FIRST_RUNG, rungAt } from "./delay-ladder.ts";
import type { Hold } from "./hold.ts";
import type { Managed } from "./managed.ts";

const figure = (value: number): string => value.toFixed(2);

/** As it was declared: 0.005 must not become 0.01. */
const declaredText = (slaDelay: number): string => String(slaDelay);

/** What a service declared, and whether it is held to. */
export function declaredDelay({ sample }: Managed, settings: Settings): Reason[] {
  const { slaDelay } = sample.declared;
  if (slaDelay === undefined) return [];
  const text = `slaDelay: may wait ${declaredText(slaDelay)} of the time, in 99 of 100 periods`;
  const isHeld = settings.preset === "default";
  return [
    { code: "sla-delay", text: isHeld ? text : `${text}; preset ${settings.preset} does not hold that` },
  ];
}

/** How declared delays hold a scientific guest, where that is not as it would be without them. */
export function delayReasons(delay: DelayHold, hold: Hold): Reason[] {
  if (!delay.isDeclared || delay.rung === FIRST_RUNG) return [];
  const { weight, part } = rungAt(delay.rung);
  const why = delayWhy(delay);
  if (delay.rung > FIRST_RUNG) {
    // One with a weight by its own SLA is not moved by a lower rank.
    return hold.weight === weight ? [{ code: "rank", text: `weight ${weight} beside services: ${why}` }] : [];
  }
  if (part === 1) return [];
  return [
    { code: "delay-cap", text: `at most ${figure(part)} of what it could have without services: ${why}` },
  ];
}

/** Why the rung is what it is; names who brought it down. */
export function delayWhy({ rung, loweredBy }: DelayHold): string {
  if (loweredBy !== undefined) {
    const { name, delay, slaDelay } = loweredBy;
    const waited = `waited ${figure(delay)} of a period, slaDelay is ${declaredText(slaDelay)}`;
    // Names are the tenant's: long, or of several lines. Reasons are bounded, and printed.
    return `${name.slice(0, 256).replaceAll(/\p{C}/gu, "?")} ${waited}`;
  }
  return rung > FIRST_RUNG
    ? "they wait no longer than they declared (slaDelay)"
    : "a service waited longer than it declared (slaDelay)";
}

/** Said of a service while what it declared cannot be held: there is nothing left to take from scientific guests. */
export function delayMissed(
  { sample }: Managed,
  slaDelay: number | undefined,
  { rung, states }: DelayHold,
): Reason | undefined {
  const state = states.get(sample.uuid);
  if (slaDelay === undefined || state === undefined || rung > 0 || state.debt <= DEBT_ALLOWED)
    return undefined;
  const text = `waits more than ${declaredText(slaDelay)} of the time in more than one of 100 periods`;
  return {
    code: "delay-missed",
    text: `slaDelay cannot be held: ${text}, with scientific guests at their least`,
  };
}
