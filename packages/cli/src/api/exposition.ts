/** Reads metrics pages in Prometheus' text format, as far as `kvmgov top` needs them. */

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/**
 * Sums of a family's series by one label, for several families in one pass. A line that is not understood is passed over.
 * @returns by family, by the label's value
 */
export function sumsBy(
  label: string,
  families: readonly string[],
  page: string,
): Map<string, Map<string, number>> {
  const sums = new Map(families.map((family) => [family, new Map<string, number>()]));
  for (const line of page.split("\n")) {
    const [, family = "", labels = "", text = ""] = LINE.exec(line) ?? [];
    const sum = sums.get(family);
    const value = Number(text);
    if (sum === undefined || Number.isNaN(value)) continue;
    const key = labelOf(labels, label);
    if (key !== undefined) sum.set(key, (sum.get(key) ?? 0) + value);
  }
  return sums;
}

function labelOf(labels: string, wanted: string): string | undefined {
  for (const [, name, value = ""] of labels.matchAll(LABEL)) {
    if (name === wanted) return value.replaceAll(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
  }
  return undefined;
}
