/** From the points of a guest to columns that can be drawn. */
import { SERIES_COLUMNS } from "../model/columns.ts";
import type { SeriesColumn } from "../model/columns.ts";
import type { PointRow } from "../model/model.ts";

/** Columns by name, all of the same length; times in seconds. */
export interface Columns {
  times: number[];
  values: Record<SeriesColumn, (number | null)[]>;
}

/** @param gapMs a longer time between two points is a gap: no line is drawn over what was not seen */
export function columnsOf(points: Readonly<Record<string, PointRow>>, gapMs: number): Columns {
  const rows = Object.values(points)
    .map(({ v }) => v)
    .sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  const times: number[] = [];
  const values = Object.fromEntries(
    SERIES_COLUMNS.map((name) => [name, [] as (number | null)[]]),
  ) as Columns["values"];
  let before: number | undefined;
  for (const row of rows) {
    const at = row[0] ?? 0;
    if (before !== undefined && at - before > gapMs) {
      times.push((before + 1) / 1000);
      for (const name of SERIES_COLUMNS) values[name].push(null);
    }
    times.push(at / 1000);
    for (const [i, name] of SERIES_COLUMNS.entries()) values[name].push(row[i + 1] ?? null);
    before = at;
  }
  return { times, values };
}

/** Times from and to which the class was scientific, in seconds. */
export function scientificSpans({ times, values }: Columns): [from: number, to: number][] {
  const spans: [number, number][] = [];
  let from: number | undefined;
  for (const [i, time] of times.entries()) {
    const isScientific = values.class[i] === 1;
    if (isScientific) from ??= time;
    else if (from !== undefined) {
      spans.push([from, time]);
      from = undefined;
    }
  }
  const last = times.at(-1);
  if (from !== undefined && last !== undefined) spans.push([from, last]);
  return spans;
}
