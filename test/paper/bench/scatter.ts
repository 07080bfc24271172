/** A scatter plot as SVG: named dots, both axes logarithmic; dots on the frontier are filled. */
import { escaped, line, px, text } from "./plot.ts";

export interface Dot {
  name: string;
  x: number;
  y: number;
  isFrontier: boolean;
}

export interface Scatter {
  title: string;
  xAxis: string;
  yAxis: string;
  /** Above 0. */
  dots: readonly Dot[];
}

const WIDTH = 860;
const HEIGHT = 480;
const PLOT = { left: 60, right: 130, top: 64, bottom: 50 };
const FILLED = "#0072B2";
const RADIUS = 5;
const TICKS = [1, 2, 5];
const DECADES = Array.from({ length: 13 }, (_, at) => at - 6);
const LINE_HEIGHT = 13;

export function scatterPlot({ title, xAxis, yAxis, dots }: Scatter): string {
  const xs = ticksAround(dots.map((dot) => dot.x));
  const ys = ticksAround(dots.map((dot) => dot.y));
  const x = scale(xs, PLOT.left, WIDTH - PLOT.right);
  const y = scale(ys, HEIGHT - PLOT.bottom, PLOT.top);
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(PLOT.left, 20, title, 'font-size="15" font-weight="bold"'),
    text(8, PLOT.top - 18, yAxis),
    text((PLOT.left + WIDTH - PLOT.right) / 2, HEIGHT - 10, xAxis, 'text-anchor="middle"'),
    ...xs.flatMap((tick) => [
      line(x(tick), PLOT.top, x(tick), HEIGHT - PLOT.bottom, "#dddddd"),
      text(x(tick), HEIGHT - PLOT.bottom + 16, String(tick), 'text-anchor="middle"'),
    ]),
    ...ys.flatMap((tick) => [
      line(PLOT.left, y(tick), WIDTH - PLOT.right, y(tick), "#dddddd"),
      text(PLOT.left - 6, y(tick) + 4, String(tick), 'text-anchor="end"'),
    ]),
    ...dots.map((dot) => circle(dot, x(dot.x), y(dot.y))),
    ...labels(dots.map(({ name, ...dot }) => ({ name, x: x(dot.x), y: y(dot.y) }))),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" role="img" aria-label="${escaped(title)}">\n${parts.join("\n")}\n</svg>\n`;
}

function circle(dot: Dot, cx: number, cy: number): string {
  const name = `<title>${escaped(`${dot.name}: ${round(dot.x)}, ${round(dot.y)}`)}</title>`;
  const fill = dot.isFrontier ? FILLED : "#ffffff";
  return `<circle cx="${px(cx)}" cy="${px(cy)}" r="${RADIUS}" fill="${fill}" stroke="${FILLED}">${name}</circle>`;
}

/** Right of their dots, each below those that it would cover. */
function labels(dots: readonly { name: string; x: number; y: number }[]): string[] {
  const placed: { name: string; x: number; y: number }[] = [];
  for (const dot of dots.toSorted((a, b) => a.y - b.y)) {
    let { y } = dot;
    const covers = (other: { x: number; y: number }): boolean =>
      Math.abs(other.x - dot.x) < PLOT.right && Math.abs(other.y - y) < LINE_HEIGHT;
    while (placed.some(covers)) y += LINE_HEIGHT / 2;
    placed.push({ name: dot.name, x: dot.x, y });
  }
  return placed.map(({ name, x, y }) => text(x + RADIUS + 4, y + 4, name));
}

/** 1, 2 and 5 times powers of ten, from the last at or below the least value to the first at or above the largest. */
export function ticksAround(values: readonly number[]): number[] {
  const all = DECADES.flatMap((power) => TICKS.map((tick) => Number(`${tick}e${power}`)));
  const from = all.findLastIndex((tick) => tick <= Math.min(...values));
  const to = all.findIndex((tick) => tick >= Math.max(...values));
  if (from < 0 || to < 0) throw new RangeError(`a dot lies outside of ${all[0]} to ${all.at(-1)}`);
  return from < to ? all.slice(from, to + 1) : all.slice(from, from + 2);
}

function scale(ticks: readonly number[], from: number, to: number): (value: number) => number {
  const [least, most] = [Math.log(ticks[0] ?? 1), Math.log(ticks.at(-1) ?? 1)];
  return (value) => from + ((Math.log(value) - least) / (most - least)) * (to - from);
}

const round = (value: number): number => Number(value.toPrecision(3));
