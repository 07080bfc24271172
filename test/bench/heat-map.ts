/** Heat maps as SVG: panels in rows and columns, a number in every cell, one hue a row, dark where the figure is high. */

export interface Panel {
  title: string;
  /** Rows of cells from top to bottom, each from left to right. */
  cells: readonly (readonly number[])[];
}

export interface PanelRow {
  /** What the figures are, with their unit. */
  title: string;
  /** Hue of the darkest cell, as red, green and blue. */
  dark: readonly [number, number, number];
  format: (value: number) => string;
  panels: readonly Panel[];
}

export interface HeatMaps {
  title: string;
  subtitle: string;
  xTitle: string;
  xLabels: readonly string[];
  yTitle: string;
  yLabels: readonly string[];
  rows: readonly PanelRow[];
}

const CELL = { width: 46, height: 24 };
const LEFT = 58;
const GAP = 26;
const TOP = 64;
const ROW_HEAD = 46;
const ROW_FOOT = 40;

/** @returns an SVG document; the same figures give the same bytes */
export function heatMapsSvg(maps: HeatMaps): string {
  const columns = Math.max(...maps.rows.map(({ panels }) => panels.length));
  const panelWidth = maps.xLabels.length * CELL.width;
  const rowHeight = ROW_HEAD + maps.yLabels.length * CELL.height + ROW_FOOT;
  const width = LEFT + columns * (panelWidth + GAP);
  const height = TOP + maps.rows.length * rowHeight;
  const body = maps.rows.flatMap((row, at) => rowSvg(maps, row, TOP + at * rowHeight, panelWidth));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11">`,
    `<title>${escaped(maps.title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(12, 24, maps.title, `font-size="16" font-weight="bold"`),
    text(12, 44, maps.subtitle, `fill="#444444"`),
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

function rowSvg(maps: HeatMaps, row: PanelRow, y: number, panelWidth: number): string[] {
  const most = Math.max(...row.panels.flatMap(({ cells }) => cells.flat()));
  return [
    text(12, y + 14, row.title, `font-size="13" font-weight="bold"`),
    ...row.panels.flatMap((panel, at) =>
      panelSvg(maps, row, panel, {
        x: LEFT + at * (panelWidth + GAP),
        y: y + ROW_HEAD,
        most,
        isFirst: at === 0,
      }),
    ),
  ];
}

function panelSvg(
  maps: HeatMaps,
  row: PanelRow,
  { title, cells }: Panel,
  { x, y, most, isFirst }: { x: number; y: number; most: number; isFirst: boolean },
): string[] {
  const below = y + cells.length * CELL.height;
  const middle = x + (maps.xLabels.length * CELL.width) / 2;
  return [
    text(x, y - 8, title),
    ...cells.flatMap((line, i) =>
      line.map((value, j) => cellSvg(x + j * CELL.width, y + i * CELL.height, value, row, most)),
    ),
    ...maps.xLabels.map((label, j) =>
      text(x + (j + 0.5) * CELL.width, below + 14, label, `text-anchor="middle"`),
    ),
    text(middle, below + 28, maps.xTitle, `text-anchor="middle" fill="#444444"`),
    ...maps.yLabels.map((label, i) =>
      text(x - 5, y + (i + 0.5) * CELL.height + 4, label, `text-anchor="end"`),
    ),
    ...(isFirst ? [text(x - 5, y - 8, maps.yTitle, `text-anchor="end" fill="#444444"`)] : []),
  ];
}

function cellSvg(x: number, y: number, value: number, { dark, format }: PanelRow, most: number): string {
  const part = shade(value, most);
  const fill = `rgb(${dark.map((channel) => Math.round(255 + (channel - 255) * part)).join(",")})`;
  const ink = part > 0.55 ? "#ffffff" : "#000000";
  return (
    `<rect x="${x}" y="${y}" width="${CELL.width - 1}" height="${CELL.height - 1}" fill="${fill}" stroke="#dddddd"/>` +
    text(x + CELL.width / 2, y + CELL.height / 2 + 4, format(value), `text-anchor="middle" fill="${ink}"`)
  );
}

/** Logarithmic over three decades: 0 is white, the most is dark. */
function shade(value: number, most: number): number {
  if (most <= 0 || value <= 0) return 0;
  return Math.min(1, Math.max(0.04, 1 + Math.log10(value / most) / 3));
}

const text = (x: number, y: number, content: string, attributes = ""): string =>
  `<text x="${x}" y="${y}"${attributes === "" ? "" : ` ${attributes}`}>${escaped(content)}</text>`;

const escaped = (content: string): string =>
  content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
