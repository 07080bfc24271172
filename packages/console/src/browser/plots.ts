/** The plots of a guest, all over the same time; and the same values as a table. */
import { SERIES_COLUMNS } from "../model/columns.ts";
import type { SeriesColumn } from "../model/columns.ts";
import type { GuestFactsRow, PointRow } from "../model/model.ts";
import { timeText } from "./clock.ts";
import { byId } from "./dom.ts";
import { cores, percent, wholeNumber } from "./figures.ts";
import { Plot } from "./plot.ts";
import type { Line, PlotOptions } from "./plot.ts";
import { columnsOf } from "./series.ts";
import type { Columns } from "./series.ts";
import { KeyedTable } from "./table.ts";

/** What the plots need to know of the guest. */
export type PlotFacts = Pick<GuestFactsRow, "alpha" | "alphaDown" | "beta" | "vcpus" | "usesRun">;

const DASH = { long: [8, 4], short: [3, 3] };

function line(name: string, color: string, column: SeriesColumn, rest: Partial<Line> = {}): Line {
  return { name, color, values: ({ values }) => values[column] ?? [], ...rest };
}

function voluntary({ values }: Columns): (number | null)[] {
  return values.switches.map((all, i) => {
    const involuntary = values.involuntary[i] ?? null;
    return all === null || involuntary === null ? null : Math.max(0, all - involuntary);
  });
}

/** A threshold: the same value all the time. */
function level(name: string, value: number): Line {
  return { name, color: "--threshold", dash: DASH.long, values: ({ times }) => times.map(() => value) };
}

function plotsOf(facts: () => PlotFacts): PlotOptions[] {
  return [
    {
      title: "Used and wanted",
      unit: "part of its vCPUs",
      hint: "Wanted is held against the threshold of its list (alpha; in LIST_sc alphaDown), period by period.",
      text: percent,
      topMin: () => 1,
      lines: () => [
        line("used", "--service", "usage"),
        line("wanted", "--accent", "demand", { dash: DASH.short }),
        {
          ...level("threshold", facts().alpha),
          stepped: true,
          values: ({ values }) =>
            values.class.map((kind) => (kind === 2 ? null : kind === 1 ? facts().alphaDown : facts().alpha)),
        },
      ],
    },
    {
      title: "Crossing count",
      unit: "periods",
      hint: "More than beta moves it to the other list, and the count begins again.",
      text: (value) => String(Math.round(value * 10) / 10),
      topMin: () => facts().beta + 1,
      lines: () => [line("count", "--service", "count", { stepped: true }), level("beta", facts().beta)],
    },
    {
      title: "CPU that it may have",
      unit: "cores",
      hint: "Its entitlement, what it ran, and its quota where one of ours holds it.",
      text: cores,
      topMin: () => Math.max(1, facts().vcpus),
      lines: () => [
        line("may have", "--scientific", "entitlementCores", { stepped: true }),
        {
          ...line("ran", "--service", "usage"),
          values: ({ values }) => values.usage.map((part) => (part === null ? null : part * facts().vcpus)),
        },
        line("quota", "--threshold", "quotaCores", { stepped: true, dash: DASH.long }),
      ],
    },
    {
      title: "Context switches",
      unit: "a second",
      hint: "Involuntary: it was switched out although it wanted to go on.",
      text: (value) => wholeNumber(Math.round(value)),
      topMin: () => 10,
      lines: () => [
        { ...line("voluntary", "--service", "switches"), values: voluntary },
        line("involuntary", "--scientific", "involuntary", { dash: DASH.short }),
        // Where the kernel was not asked which is which.
        {
          ...line("all", "--threshold", "switches", { dash: DASH.long }),
          values: ({ values }) =>
            values.switches.map((all, i) => (values.involuntary[i] === null ? all : null)),
        },
      ],
    },
    {
      title: "Run delay",
      unit: "part of its vCPUs",
      hint: "Ready to run and not running: contention, or a quota.",
      text: percent,
      topMin: () => 0.1,
      lines: () => [line("waited", "--scientific", "delay")],
    },
  ];
}

const TITLES: Record<SeriesColumn, [title: string, text: (value: number) => string]> = {
  usage: ["Used", percent],
  delay: ["Waited", percent],
  demand: ["Wanted", percent],
  count: ["Count", String],
  entitlementCores: ["May have", cores],
  quotaCores: ["Quota", cores],
  switches: ["Switches/s", (value) => String(Math.round(value))],
  involuntary: ["Involuntary/s", (value) => String(Math.round(value))],
  class: ["List", (value) => ["service", "scientific", "exempt"][value] ?? "–"],
};

export class Plots {
  readonly #plots: Plot[];
  readonly #table = new KeyedTable<PointRow>({
    caption: "Values over time",
    sortedBy: "time",
    isDescending: true,
    empty: "No point yet.",
    columns: [
      { id: "time", title: "Time", text: ({ v }) => timeText(v[0] ?? 0), sortBy: ({ v }) => v[0] ?? 0 },
      ...SERIES_COLUMNS.map((name, i) => {
        const [title, text] = TITLES[name];
        const pick = ({ v }: PointRow): number | null => v[i + 1] ?? null;
        return {
          id: `point-${name}`,
          title,
          isNumber: true,
          text: (row: PointRow) => {
            const value = pick(row);
            return value === null ? "–" : text(value);
          },
          sortBy: (row: PointRow) => pick(row) ?? -1,
        };
      }),
    ],
  });
  #facts: PlotFacts = { alpha: 0.7, alphaDown: 0.7, beta: 5, vcpus: 1, usesRun: false };
  #points: Readonly<Record<string, PointRow>> = {};

  constructor() {
    this.#plots = plotsOf(() => this.#facts).map((options) => new Plot(options));
    byId("plots").append(...this.#plots.map(({ element }) => element));
    byId("points").append(this.#table.element);
    byId("points-part").addEventListener("toggle", () => this.#showTable());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const plot of this.#plots) plot.recolor();
    });
  }

  /** @param bucketMs time that one point stands for */
  show(facts: PlotFacts, points: Readonly<Record<string, PointRow>>, bucketMs: number, nowMs: number): void {
    this.#facts = facts;
    this.#points = points;
    const columns = columnsOf(points, 3.5 * bucketMs);
    // A guest that was seen for a moment only is not stretched over the whole width.
    const first = columns.times[0] ?? nowMs / 1000;
    const to = Math.max(columns.times.at(-1) ?? 0, nowMs / 1000 - bucketMs / 500);
    const range: [number, number] = [Math.min(first, to - 30 * (bucketMs / 1000)), to];
    for (const plot of this.#plots) plot.show(columns, range);
    this.#showTable();
  }

  /** Only while it is open: hundreds of rows that nobody looks at cost every second. */
  #showTable(): void {
    const part = byId("points-part");
    if (part instanceof HTMLDetailsElement && part.open) this.#table.update(this.#points);
  }
}
