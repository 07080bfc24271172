/**
 * The identity of the span that a message came of, as W3C Trace Context writes it: `00-TRACE-SPAN-FLAGS`, all hexadecimal, lower
 * case. It travels in the header `traceparent` of a NATS message; in a plan, which has no headers, as a field.
 */

/** Name of the NATS header. */
export const TRACEPARENT_HEADER = "traceparent";

export interface ParsedTraceparent {
  /** 32 hexadecimal digits, not all 0. */
  traceId: string;
  /** 16 hexadecimal digits, not all 0. */
  spanId: string;
  /** 8 bits; 1: sampled. */
  traceFlags: number;
}

const PATTERN = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** @returns undefined for anything but a valid traceparent of version 00, the only one that we write */
export function parseTraceparent(text: string): ParsedTraceparent | undefined {
  const [, traceId, spanId, flags] = PATTERN.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) };
}
