/** Whether the actuator that wrote a heartbeat must be replaced: pure. For whoever stands guard over it. */
import type { Heartbeat } from "./heartbeat.ts";

/** An actuator whose plan expired restores by itself, and beats four times a second meanwhile: from 2 s before. */
const SILENCE_US_MIN = 1_500_000;

/**
 * Silent although what it holds is void: dead, or frozen.
 * @param nowUs CLOCK_BOOTTIME in microseconds
 * @param silenceMsMax silence after which an actuator that follows no plan counts as frozen, in milliseconds
 */
export function isAbandoned(heartbeat: Heartbeat, nowUs: number, silenceMsMax: number): boolean {
  const voidAtUs = heartbeat.expiresAtUs ?? heartbeat.bootTimeUs + silenceMsMax * 1000;
  return nowUs > voidAtUs && nowUs - heartbeat.bootTimeUs > SILENCE_US_MIN;
}
