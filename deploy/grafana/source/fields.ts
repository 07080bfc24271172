/** How values are shown: units, limits, words, and the queries behind them. */
import { DATASOURCE } from "./model.ts";
import type { FieldDefaults, Override, Panel, Target, Threshold } from "./model.ts";

/** A query (PromQL) and the name of its series: `{{label}}` stands for a label's value. */
export type Query = readonly [expr: string, legend: string];

export interface Common {
  title: string;
  description: string;
  unit?: string;
  min?: number;
  max?: number;
  decimals?: number;
}

/** Green, from `warning` orange, from `critical` red; `isLowBad`: red, from `critical` orange, from `warning` green. */
export interface Limits {
  warning: number;
  critical?: number;
  isLowBad?: boolean;
}

/** Words for a series that is 0 or 1. */
export const YES_NO = { "0": "no", "1": "yes" };

export function headOf({ title, description }: Common): Pick<Panel, "title" | "description" | "datasource"> {
  return { title, description, datasource: DATASOURCE };
}

export function defaultsOf({ unit = "short", min, max, decimals }: Common): FieldDefaults {
  return {
    unit,
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(decimals !== undefined && { decimals }),
  };
}

export const refId = (index: number): string => String.fromCharCode("A".charCodeAt(0) + index);

export function rangeTarget([expr, legendFormat]: Query, index: number): Target {
  const refs = { refId: refId(index), datasource: DATASOURCE };
  return { ...refs, expr, legendFormat, instant: false, range: true, format: "time_series" };
}

export function instantTarget([expr, legendFormat]: Query, index: number, format: Target["format"]): Target {
  const refs = { refId: refId(index), datasource: DATASOURCE };
  return { ...refs, expr, legendFormat, instant: true, range: false, format };
}

export function wordsOf(words: Readonly<Record<string, string>>): object {
  const options = Object.fromEntries(Object.entries(words).map(([value, text]) => [value, { text }]));
  return { type: "value", options };
}

export const plain = (): Threshold => ({ color: "text", value: null });

export function steps({ warning, critical, isLowBad = false }: Limits): Threshold[] {
  const [lowest, highest] = isLowBad ? ["red", "green"] : ["green", "red"];
  const from = isLowBad ? { orange: critical, [highest]: warning } : { orange: warning, [highest]: critical };
  const above = Object.entries(from).flatMap(([color, value]) =>
    value === undefined ? [] : [{ color, value }],
  );
  return [{ color: lowest, value: null }, ...above];
}

export function override(name: string, id: string, value: unknown): Override {
  return { matcher: { id: "byName", options: name }, properties: [{ id, value }] };
}

export function fixed(color: string): object {
  return { mode: "fixed", fixedColor: color };
}
