/** Whether the actuator that wrote a heartbeat must be replaced, and when to look again: pure. For whoever stands guard over it. */
import type { Heartbeat } from "./heartbeat.ts";

/** An actuator whose plan expired restores by itself, and beats four times a second meanwhile: from 2 s before. */
const SILENCE_US_MIN = 1_500_000;

/**
 * Silent although what it holds is void: dead, or frozen.
 * @param nowUs CLOCK_BOOTTIME in microseconds
 * @param silenceMsMax silence after which an actuator that follows no plan counts as frozen, in milliseconds
 */
export function isAbandoned(heartbeat: Heartbeat, nowUs: number, silenceMsMax: number): boolean {
  return nowUs > voidAtUs(heartbeat, silenceMsMax) && nowUs - heartbeat.bootTimeUs > SILENCE_US_MIN;
}

/** Time between two looks at a heartbeat, in milliseconds. */
const LOOK_MS = 250;
/**
 * The same while nothing could be done whatever was seen. Shorter than the silence that is asked for at least: a heartbeat that says
 * something else by now is seen before it counts.
 */
const RESTING_LOOK_MS = 1000;
/** So long before what is held is void looks come as often as ever. */
const AWAKE_MS = 2000;

/**
 * Time until the heartbeat is to be looked at again, in milliseconds.
 * @param heartbeat as read now; undefined: there is none
 */
export function msToNextLook(heartbeat: Heartbeat | undefined, nowUs: number, silenceMsMax: number): number {
  if (heartbeat === undefined) return LOOK_MS;
  const leftMs = (voidAtUs(heartbeat, silenceMsMax) - nowUs) / 1000;
  return Math.max(LOOK_MS, Math.min(RESTING_LOOK_MS, leftMs - AWAKE_MS));
}

function voidAtUs({ expiresAtUs, bootTimeUs }: Heartbeat, silenceMsMax: number): number {
  return expiresAtUs ?? bootTimeUs + silenceMsMax * 1000;
}
