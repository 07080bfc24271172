/** Reading of numbers from bytes as the kernel prints them, without making strings: this runs a thousand times a tick. */

const ZERO = 0x30;
const NINE = 0x39;

/**
 * Reads unsigned decimal numbers separated by other bytes, as of /proc/TID/schedstat.
 * Exact up to 2^53: 104 days of CPU time in nanoseconds, then within a few units.
 * @param out as many as it has room for are read
 * @returns how many numbers there were
 */
export function readNumbers(bytes: Buffer, length: number, out: Float64Array): number {
  let count = 0;
  let value = 0;
  let inside = false;
  for (let at = 0; at < length && count < out.length; at++) {
    const byte = bytes[at] as number;
    if (byte >= ZERO && byte <= NINE) {
      value = value * 10 + (byte - ZERO);
      inside = true;
    } else if (inside) {
      out[count++] = value;
      value = 0;
      inside = false;
    }
  }
  if (inside && count < out.length) out[count++] = value;
  return count;
}

/**
 * The number that follows a key, blanks between.
 * @param key with whatever stands before it in its line (`\nkey:`), so that no longer key ends in it
 * @param from where to begin looking
 * @returns undefined where the key is not there, or no number follows it
 */
export function numberAfter(bytes: Buffer, length: number, key: Buffer, from = 0): number | undefined {
  let at = bytes.indexOf(key, from);
  if (at < 0 || at >= length) return undefined;
  at += key.length;
  while (at < length && isBlank(bytes[at] as number)) at++;
  let value = 0;
  let digits = 0;
  for (; at < length; at++, digits++) {
    const byte = bytes[at] as number;
    if (byte < ZERO || byte > NINE) break;
    value = value * 10 + (byte - ZERO);
  }
  return digits === 0 ? undefined : value;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}
