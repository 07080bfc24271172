/** One plot: uPlot with our colours, shaded where the guest was in LIST_sc, and its values in words below the title. */
import uPlot from "uplot";
import { timeText } from "./clock.ts";
import { el, setHidden, setText } from "./dom.ts";
import type { Columns } from "./series.ts";
import { scientificSpans } from "./series.ts";

export interface Line {
  name: string;
  /** Custom property of the style sheet that holds the colour. */
  color: string;
  /** Lengths of dashes and gaps: lines are told apart by more than colour. */
  dash?: number[];
  width?: number;
  stepped?: boolean;
  values: (columns: Columns) => (number | null)[];
}

export interface PlotOptions {
  title: string;
  /** What is to be seen here, in one sentence. */
  hint: string;
  unit: string;
  lines: () => readonly Line[];
  text: (value: number) => string;
  /** Lowest value that the upper end of the axis has. */
  topMin: () => number;
}

const HEIGHT = 150;
const AXIS_WIDTH = 46;
const SYNC = "guest";

export class Plot {
  readonly element: HTMLElement;
  readonly #options: PlotOptions;
  readonly #place = el("div", { class: "canvas", role: "img" });
  readonly #values: HTMLElement;
  #plot: uPlot | undefined;
  #columns: Columns = { times: [], values: {} as Columns["values"] };
  #lines: readonly Line[] = [];
  #spans: [number, number][] = [];
  #range: [number, number] = [0, 1];

  constructor(options: PlotOptions) {
    this.#options = options;
    this.#values = el("ul", { class: "values" });
    this.element = el("figure", { class: "plot" }, [
      el("figcaption", {}, [
        el("strong", { text: options.title }),
        el("span", { class: "unit", text: ` ${options.unit}` }),
        el("p", { class: "hint", text: options.hint }),
        this.#values,
      ]),
      this.#place,
    ]);
    new ResizeObserver(() => this.#resize()).observe(this.#place);
  }

  /** @param range of the time axis, in seconds */
  show(columns: Columns, range: [number, number]): void {
    this.#columns = columns;
    this.#range = range;
    this.#spans = scientificSpans(columns);
    const lines = this.#options.lines();
    const isSame = lines.map(({ name }) => name).join() === this.#lines.map(({ name }) => name).join();
    this.#lines = lines;
    if (this.#plot === undefined || !isSame) this.#build();
    else this.#plot.setData(this.#data());
    this.#hideEmptyLines();
    this.#showValues(undefined);
  }

  /** Draws anew with the colours of the present scheme. */
  recolor(): void {
    if (this.#plot !== undefined) this.#build();
  }

  #build(): void {
    this.#plot?.destroy();
    this.#values.replaceChildren(...this.#lines.map((line) => valueItem(line)));
    this.#plot = new uPlot(this.#uplotOptions(), this.#data(), this.#place);
    this.#showValues(undefined);
  }

  #data(): uPlot.AlignedData {
    return [this.#columns.times, ...this.#lines.map((line) => line.values(this.#columns))];
  }

  #uplotOptions(): uPlot.Options {
    const axis = {
      stroke: color("--ink-2"),
      grid: { stroke: color("--line"), width: 1 },
      ticks: { show: false },
      font: "12px " + getComputedStyle(document.body).fontFamily,
    };
    const { text, topMin } = this.#options;
    return {
      width: Math.max(120, this.#place.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      padding: [8, 8, 0, 0],
      cursor: { sync: { key: SYNC }, drag: { x: false, y: false }, y: false, points: { show: false } },
      scales: {
        x: { range: () => this.#range },
        y: { range: (_plot, _min, max) => [0, Math.max(topMin(), (Number.isFinite(max) ? max : 0) * 1.05)] },
      },
      axes: [
        {
          ...axis,
          size: 28,
          space: 90,
          values: (_plot, ticks) => ticks.map((tick) => timeText(tick * 1000)),
        },
        { ...axis, size: AXIS_WIDTH, space: 32, values: (_plot, ticks) => ticks.map(text) },
      ],
      series: [{}, ...this.#lines.map((line) => seriesOf(line))],
      hooks: {
        drawClear: [(plot) => this.#shade(plot)],
        setCursor: [(plot) => this.#showValues(plot.cursor.idx ?? undefined)],
      },
    };
  }

  #shade(plot: uPlot): void {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = color("--shade");
    ctx.strokeStyle = color("--scientific");
    for (const [from, to] of this.#spans) {
      const left = Math.max(bbox.left, plot.valToPos(from, "x", true));
      const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
      if (right <= left) continue;
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
      // A line along the top as well: shades alone are hard to see on some screens.
      ctx.fillStyle = color("--scientific");
      ctx.fillRect(left, bbox.top, right - left, 3 * devicePixelRatio);
      ctx.fillStyle = color("--shade");
    }
    ctx.restore();
  }

  #resize(): void {
    const width = this.#place.clientWidth;
    if (this.#plot !== undefined && width > 0 && width !== this.#plot.width)
      this.#plot.setSize({ width, height: HEIGHT });
  }

  /** A line without any value (no quota, say) needs no entry in the key. */
  #hideEmptyLines(): void {
    for (const [i, line] of this.#lines.entries()) {
      const item = this.#values.children[i];
      const isEmpty = line.values(this.#columns).every((value) => value === null);
      if (item instanceof HTMLElement) setHidden(item, isEmpty);
    }
  }

  /** Under the cursor; else the newest ones. */
  #showValues(at: number | undefined): void {
    const { times } = this.#columns;
    const last = times.length - 1;
    const index = at ?? last;
    const time = times[index];
    const said = this.#lines.map((line, i) => {
      const value = line.values(this.#columns)[index] ?? null;
      const text = value === null ? "–" : this.#options.text(value);
      const place = this.#values.children[i]?.querySelector(".value");
      if (place instanceof HTMLElement) setText(place, text);
      return `${line.name} ${text}`;
    });
    const when = time === undefined ? "no points yet" : index === last ? "now" : timeText(time * 1000);
    if (at === undefined)
      this.#place.setAttribute("aria-label", `${this.#options.title}, ${when}: ${said.join(", ")}`);
    this.element.dataset["at"] = when;
  }
}

function valueItem({ name, color: property, dash }: Line): HTMLElement {
  const sample = el("span", {
    class: `stroke${dash === undefined ? "" : " is-dashed"}`,
    "aria-hidden": "true",
  });
  sample.style.borderTopColor = `var(${property})`;
  return el("li", {}, [sample, ` ${name} `, el("span", { class: "value" })]);
}

function seriesOf({ name, color: property, dash, width = 1.5, stepped }: Line): uPlot.Series {
  const paths = stepped === true ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
  return {
    label: name,
    stroke: color(property),
    width,
    points: { show: false },
    ...(dash !== undefined && { dash }),
    ...(paths !== undefined && { paths }),
  };
}

function color(property: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}
