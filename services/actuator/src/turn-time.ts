/** How long the loop may wait between two turns: pure. */

/** Time between two turns of the loop, in milliseconds: who stands guard hears from it four times a second. */
export const TURN_MS = 250;

/** The same while the plan holds for long: nobody would take anything from an actuator that is silent meanwhile. */
export const RESTING_TURN_MS = 2000;

/** So long before the plan is void turns come as often as ever: who stands guard may begin to count then. */
const AWAKE_MS = 2000;
const TURN_MS_MIN = 20;

/** A plan that is followed; times in microseconds of CLOCK_BOOTTIME. */
interface Held {
  sequence: number;
  expiresAtUs: number;
}

/**
 * Time until the next turn, in milliseconds.
 * @param isVoid whether guests go back already, whatever the plan says
 */
export function msToNextTurn(plan: Held | undefined, isVoid: boolean, nowUs: number): number {
  if (plan === undefined) return TURN_MS;
  const ttlMs = (plan.expiresAtUs - plan.sequence) / 1000;
  const awakeMs = Math.max(TURN_MS_MIN, Math.min(TURN_MS, ttlMs / 4));
  if (isVoid) return awakeMs;
  const leftMs = (plan.expiresAtUs - nowUs) / 1000;
  return Math.max(awakeMs, Math.min(RESTING_TURN_MS, leftMs - AWAKE_MS));
}
