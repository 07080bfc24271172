/** Parts of docs/benchmarks.md that a benchmark writes itself, between two marks, and their plots. */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { format, resolveConfig } from "prettier";
import type { Spread } from "../../bench/statistics.ts";

/** Where plots are, beside the page. */
export const PLOTS = "benchmarks";

/**
 * Writes the plots, and the part of `benchmarks.md` between its two marks; at the end where there are none yet.
 * @param name of the benchmark
 * @param plots SVG by file name
 * @returns files that were written
 */
export async function writePart(
  dir: string,
  name: string,
  text: string,
  plots: Readonly<Record<string, string>>,
): Promise<string[]> {
  await mkdir(path.join(dir, PLOTS), { recursive: true });
  const files = Object.keys(plots).map((file) => path.join(dir, PLOTS, file));
  for (const [file, svg] of Object.entries(plots)) await writeFile(path.join(dir, PLOTS, file), svg);
  const page = path.join(dir, "benchmarks.md");
  const before = existsSync(page) ? await readFile(page, "utf8") : "# Benchmarks\n";
  const after = insert(before, name, text);
  await writeFile(page, await format(after, { ...(await resolveConfig(page)), filepath: page }));
  return [page, ...files];
}

/** The page with the benchmark's part replaced, or added at the end. */
export function insert(page: string, name: string, text: string): string {
  const begin = `<!-- ${name}: written by \`npm run bench -- ${name}\` -->`;
  const end = `<!-- ${name}: end -->`;
  const part = `${begin}\n\n${text}\n\n${end}`;
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) return `${page.trimEnd()}\n\n${part}\n`;
  return page.slice(0, from) + part + page.slice(to + end.length);
}

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
/** Three significant ones: rounds differ by more. */
export const digits = (value: number): string => String(Number(value.toPrecision(3)));
export const spread = ({ median, p10, p90, n }: Spread): string =>
  n === 1 ? digits(median) : `${digits(median)} (${digits(p10)} to ${digits(p90)})`;
