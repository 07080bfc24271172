/** Texts of tenants and figures, as they may be shown. */

/**
 * A guest's name may hold anything: characters that control a terminal, turn the direction of text or have no width are
 * shown as `\uXXXX`, so that no name can pass for another or reorder what stands around it.
 */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => {
    if (char === "\n") return "\\n";
    const code = char.codePointAt(0) ?? 0;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** To so many digits after the point: what is smaller than can be seen is no change. */
export function round(value: number, digits: number): number {
  const factor = 10 ** digits;
  // + 0: no -0, which would be another text.
  return Math.round(value * factor) / factor + 0;
}
