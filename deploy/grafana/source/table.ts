/** Tables: a row for each host or guest, a column for each query. */
import { headOf, instantTarget, override, refId, steps, wordsOf } from "./fields.ts";
import type { Common, Limits } from "./fields.ts";
import type { Override, Panel } from "./model.ts";

/** A column of a table: what is asked, how it is called, and how its values are shown. */
export interface Column {
  title: string;
  expr: string;
  unit?: string;
  decimals?: number;
  limits?: Limits;
  words?: Readonly<Record<string, string>>;
}

export interface Table extends Common {
  /** Labels that every query has: a row is one set of their values. Shown first, under these titles. */
  keys: Readonly<Record<string, string>>;
  /** Other labels of the queries: not shown. */
  hidden?: readonly string[];
  columns: readonly Column[];
  /** Title of the column that leads elsewhere, and where to. */
  link?: { column: string; title: string; url: string };
}

export function table({ keys, hidden = [], columns, link, ...common }: Table): Panel {
  const valueOf = (index: number): string => `Value #${refId(index)}`;
  const renameByName = {
    ...keys,
    ...Object.fromEntries(columns.map(({ title }, index) => [valueOf(index), title])),
  };
  const names = [...Object.keys(keys), ...columns.map((_column, index) => valueOf(index))];
  return {
    type: "table",
    ...headOf(common),
    targets: columns.map(({ expr }, index) => instantTarget([expr, ""], index, "table")),
    // Rows of all queries with the same labels become one; the time of the query is of no use.
    transformations: [
      { id: "merge", options: {} },
      {
        id: "organize",
        options: {
          excludeByName: Object.fromEntries(["Time", ...hidden].map((name) => [name, true])),
          indexByName: Object.fromEntries(names.map((name, index) => [name, index])),
          renameByName,
        },
      },
    ],
    fieldConfig: {
      defaults: { custom: { align: "auto", cellOptions: { type: "auto" }, filterable: true } },
      overrides: [
        ...columns.flatMap(columnOverride),
        ...(link === undefined
          ? []
          : [override(link.column, "links", [{ title: link.title, url: link.url, targetBlank: false }])]),
      ],
    },
    options: {
      cellHeight: "sm",
      showHeader: true,
      footer: { show: false, countRows: false, reducer: ["sum"] },
    },
  };
}

function columnOverride({ title, unit, decimals, limits, words }: Column): Override[] {
  const properties = [
    ...(unit === undefined ? [] : [{ id: "unit", value: unit }]),
    ...(decimals === undefined ? [] : [{ id: "decimals", value: decimals }]),
    ...(words === undefined ? [] : [{ id: "mappings", value: [wordsOf(words)] }]),
    ...(limits === undefined
      ? []
      : [
          { id: "thresholds", value: { mode: "absolute", steps: steps(limits) } },
          { id: "custom.cellOptions", value: { type: "color-text" } },
        ]),
  ];
  return properties.length === 0 ? [] : [{ matcher: { id: "byName", options: title }, properties }];
}
