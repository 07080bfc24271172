/**
 * A look at JSON before it is parsed. A message of a megabyte that is nothing but brackets keeps JSON.parse and the
 * check of its contract busy for tens to hundreds of milliseconds; this is one pass over the bytes, without memory.
 */

/** Our contracts are at most 6 deep; the rest is for fields of later versions. */
export const DEPTH_MAX = 32;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Whether arrays and objects stand in each other deeper than {@link DEPTH_MAX}. Says nothing of whether it is JSON. */
export function isTooDeep(bytes: Uint8Array): boolean {
  let depth = 0;
  const { length } = bytes;
  for (let at = 0; at < length; at++) {
    const byte = bytes[at] as number;
    // Digits, commas, colons: most of what stands outside of strings, and all of it below the brackets.
    if (byte < OPEN_BRACKET && byte !== QUOTE) continue;
    if (byte === QUOTE) {
      at = endOfString(bytes, at + 1);
    } else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
      if (++depth > DEPTH_MAX) return true;
    } else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) {
      depth--;
    }
  }
  return false;
}

/** Where the string ends that begins at `from`: the place of its closing quote. UTF-8 has no quote within a character. */
function endOfString(bytes: Uint8Array, from: number): number {
  const { length } = bytes;
  for (let at = from; at < length; at++) {
    const byte = bytes[at] as number;
    if (byte === BACKSLASH) at++;
    else if (byte === QUOTE) return at;
  }
  return length;
}
