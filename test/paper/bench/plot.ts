/** Bar charts as SVG: groups of bars with whiskers, one colour a series. */

export interface Bar {
  value: number;
  /** Ends of the whisker: p10 and p90. */
  low: number;
  high: number;
}

export interface Chart {
  title: string;
  /** What the axis counts. */
  axis: string;
  series: readonly string[];
  groups: readonly {
    name: string;
    /** By series; undefined where there is none. */ bars: readonly (Bar | undefined)[];
  }[];
  /** A line across, for instance at 1 for "as the default". */
  mark?: number;
}

const WIDTH = 860;
const HEIGHT = 380;
const PLOT = { left: 60, right: 20, top: 74, bottom: 40 };
/** Told apart also by people who do not see red and green apart (Okabe and Ito). */
const COLOURS = ["#999999", "#E69F00", "#56B4E9", "#0072B2", "#009E73", "#CC79A7"];
const GAP_OF_GROUP = 0.2;
const TICKS = 5;

export function barChart(chart: Chart): string {
  const bars = chart.groups.flatMap((group) => group.bars.flatMap((bar) => bar ?? []));
  const top = niceTop(Math.max(chart.mark ?? 0, ...bars.map((bar) => Math.max(bar.value, bar.high))));
  const y = (value: number): number =>
    HEIGHT - PLOT.bottom - (value / top) * (HEIGHT - PLOT.top - PLOT.bottom);
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(PLOT.left, 20, chart.title, 'font-size="15" font-weight="bold"'),
    ...legend(chart.series),
    ...axis(chart.axis, top, y),
    ...chart.groups.flatMap((group, at) => groupOf(chart, group, at, y)),
    ...(chart.mark === undefined
      ? []
      : [line(PLOT.left, y(chart.mark), WIDTH - PLOT.right, y(chart.mark), "#333333", "4 3")]),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" role="img" aria-label="${escaped(chart.title)}">\n${parts.join("\n")}\n</svg>\n`;
}

function groupOf(
  chart: Chart,
  group: Chart["groups"][number],
  at: number,
  y: (value: number) => number,
): string[] {
  const groupWidth = (WIDTH - PLOT.left - PLOT.right) / chart.groups.length;
  const barWidth = (groupWidth * (1 - GAP_OF_GROUP)) / chart.series.length;
  const start = PLOT.left + at * groupWidth + (groupWidth * GAP_OF_GROUP) / 2;
  const drawn = group.bars.flatMap((bar, series) => {
    if (bar === undefined) return [];
    const left = start + series * barWidth;
    const middle = left + barWidth / 2;
    const size = `x="${px(left)}" y="${px(y(bar.value))}" width="${px(barWidth * 0.9)}" height="${px(y(0) - y(bar.value))}"`;
    const title = `<title>${escaped(`${group.name}, ${chart.series[series]}: ${Number(bar.value.toPrecision(3))}`)}</title>`;
    return [
      `<rect ${size} fill="${COLOURS[series % COLOURS.length]}">${title}</rect>`,
      line(middle, y(bar.low), middle, y(bar.high), "#222222"),
    ];
  });
  return [
    ...drawn,
    text(start + (groupWidth * (1 - GAP_OF_GROUP)) / 2, HEIGHT - 16, group.name, 'text-anchor="middle"'),
  ];
}

function legend(series: readonly string[]): string[] {
  const width = (WIDTH - PLOT.left - PLOT.right) / series.length;
  return series.flatMap((name, at) => [
    `<rect x="${px(PLOT.left + at * width)}" y="32" width="11" height="11" fill="${COLOURS[at % COLOURS.length]}"/>`,
    text(PLOT.left + at * width + 16, 42, name),
  ]);
}

function axis(label: string, top: number, y: (value: number) => number): string[] {
  const ticks = Array.from({ length: TICKS + 1 }, (_, at) => (top * at) / TICKS);
  return [
    text(8, PLOT.top - 12, label),
    ...ticks.flatMap((value) => [
      line(PLOT.left, y(value), WIDTH - PLOT.right, y(value), "#dddddd"),
      text(PLOT.left - 6, y(value) + 4, String(Number(value.toPrecision(3))), 'text-anchor="end"'),
    ]),
  ];
}

/** 1, 1.5, 2, 2.5 or 5 times a power of ten, at or above the largest value. */
export function niceTop(largest: number): number {
  if (!(largest > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(largest));
  return ([1, 1.5, 2, 2.5, 5].find((step) => step * power >= largest) ?? 10) * power;
}

export function line(
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  colour: string,
  dashes?: string,
): string {
  const dashed = dashes === undefined ? "" : ` stroke-dasharray="${dashes}"`;
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" stroke="${colour}"${dashed}/>`;
}

export function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${px(x)}" y="${px(y)}" fill="#222222" ${attributes}>${escaped(content)}</text>`;
}

export const px = (value: number): string => String(Math.round(value * 10) / 10);
export const escaped = (content: string): string =>
  content.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
