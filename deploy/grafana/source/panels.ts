/** Panels by what they show; how they look is the same everywhere. Tables: table.ts. */
import {
  defaultsOf,
  fixed,
  headOf,
  instantTarget,
  override,
  plain,
  rangeTarget,
  steps,
  wordsOf,
} from "./fields.ts";
import type { Common, Limits, Query } from "./fields.ts";
import type { Override, Panel } from "./model.ts";

export interface TimeSeries extends Common {
  queries: readonly Query[];
  /** Areas on top of each other: only parts of one whole. */
  stacked?: boolean;
  /** Colours by the name of a series, where names are fixed. */
  colors?: Readonly<Record<string, string>>;
  /** Not part of the stack: drawn as dashed lines. */
  lines?: readonly string[];
}

export function timeSeries(spec: TimeSeries): Panel {
  const { queries, stacked = false, colors = {}, lines = [], ...common } = spec;
  const custom = {
    drawStyle: "line",
    lineWidth: 1,
    fillOpacity: stacked ? 40 : 5,
    showPoints: "never",
    spanNulls: false,
    stacking: { mode: stacked ? "normal" : "none", group: "A" },
  };
  return {
    type: "timeseries",
    ...headOf(common),
    targets: queries.map(rangeTarget),
    fieldConfig: {
      defaults: { ...defaultsOf(common), color: { mode: "palette-classic" }, custom },
      overrides: [
        ...Object.entries(colors).map(([name, color]) => override(name, "color", fixed(color))),
        ...lines.map((name) => dashed(name)),
      ],
    },
    options: {
      legend: { displayMode: "list", placement: "bottom", showLegend: true, calcs: [] },
      tooltip: { mode: "multi", sort: "desc" },
    },
  };
}

export interface Stat extends Common {
  query: Query;
  limits?: Limits;
  /** Words for values. */
  words?: Readonly<Record<string, string>>;
  noValue?: string;
}

/** One value each series, of now. */
export function stat({ query, limits, words, noValue, ...common }: Stat): Panel {
  return {
    type: "stat",
    ...headOf(common),
    targets: [instantTarget(query, 0, "time_series")],
    fieldConfig: {
      defaults: {
        ...defaultsOf(common),
        ...(noValue !== undefined && { noValue }),
        ...(words !== undefined && { mappings: [wordsOf(words)] }),
        color: { mode: "thresholds" },
        thresholds: { mode: "absolute", steps: limits === undefined ? [plain()] : steps(limits) },
      },
      overrides: [],
    },
    options: {
      colorMode: limits === undefined ? "none" : "value",
      graphMode: "none",
      justifyMode: "auto",
      orientation: "auto",
      textMode: query[1] === "" ? "value" : "auto",
      reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
    },
  };
}

export interface StateTimeline extends Common {
  query: Query;
  /** Colour and word by value. */
  states: Readonly<Record<string, { text: string; color: string }>>;
}

export function stateTimeline({ query, states, ...common }: StateTimeline): Panel {
  return {
    type: "state-timeline",
    ...headOf(common),
    targets: [rangeTarget(query, 0)],
    fieldConfig: {
      defaults: {
        color: { mode: "thresholds" },
        custom: { fillOpacity: 70, lineWidth: 0, spanNulls: false },
        mappings: [{ type: "value", options: states }],
        thresholds: { mode: "absolute", steps: [plain()] },
      },
      overrides: [],
    },
    options: {
      mergeValues: true,
      rowHeight: 0.8,
      showValue: "auto",
      alignValue: "left",
      legend: { displayMode: "list", placement: "bottom", showLegend: false },
      tooltip: { mode: "single", sort: "none" },
    },
  };
}

/** A heading; the panels after it belong to it. */
export function row(title: string): Panel {
  return { type: "row", title, collapsed: false, panels: [] };
}

function dashed(name: string): Override {
  const properties = [
    { id: "custom.stacking", value: { mode: "none", group: "A" } },
    { id: "custom.fillOpacity", value: 0 },
    { id: "custom.lineStyle", value: { fill: "dash", dash: [10, 10] } },
  ];
  return { matcher: { id: "byName", options: name }, properties };
}
