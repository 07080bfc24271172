/** What Grafana does with a dashboard, as far as Prometheus sees it: options of variables, and the queries of panels. */
import type { GrafanaDashboard } from "./grafana-model.ts";

export interface Answer {
  dashboard: string;
  panel: string;
  legend: string;
  expr: string;
  /** Labels of each series. */
  series: Record<string, string>[];
}

export interface Option {
  text: string;
  value: string;
}

type Values = Readonly<Record<string, string>>;

export interface PrometheusSeries {
  /** Labels in alphabetical order, the name first. */
  metric: Record<string, string>;
  value?: [seconds: number, value: string];
}

interface PrometheusAnswer {
  status: string;
  error?: string;
  data: { result: PrometheusSeries[] };
}

/** Between two samples of a rate at least four scrapes: what `$__rate_interval` comes to with a scrape interval of 5 s. */
const RATE_INTERVAL = "20s";
const RANGE_S = 60;

/**
 * Options of a query variable as Grafana makes them (packages/grafana-prometheus/src/metric_find_query.ts and the variables
 * of @grafana/scenes): each series as text, of which the regular expression's groups `text` and `value` are taken.
 */
export async function optionsOf(
  prometheus: string,
  { query, regex }: { query: { query: string }; regex: string },
  values: Values = {},
): Promise<Option[]> {
  const expression = /^query_result\((.+)\)\s*$/.exec(query.query)?.[1];
  if (expression === undefined) throw new Error(`no query_result: ${query.query}`);
  const { result } = await ask(prometheus, "query", { query: interpolated(expression, values) });
  return result.flatMap((series) => optionOf(series, regex));
}

/** What a variable makes of one series: nothing where its expression does not match. */
export function optionOf({ metric, value }: PrometheusSeries, regex: string): Option[] {
  const { __name__ = "", ...labels } = metric;
  const inner = Object.entries(labels).map(([name, each]) => `${name}="${each}"`);
  const text = `${__name__}{${inner.join(",")}} ${value?.[1]} ${(value?.[0] ?? 0) * 1000}`;
  const groups = new RegExp(regex.slice(1, -1)).exec(text)?.groups;
  return groups === undefined ? [] : [{ text: groups["text"] ?? "", value: groups["value"] ?? "" }];
}

/** Runs every query of a dashboard's panels. @throws {Error} Prometheus does not take one */
export async function answersOf(
  prometheus: string,
  { uid, panels }: GrafanaDashboard,
  values: Values,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const panel of panels) {
    if (panel.type === "row") continue;
    for (const { expr, legendFormat, range } of panel.targets) {
      const query = interpolated(expr, values);
      const now = Date.now() / 1000;
      const { result } = range
        ? await ask(prometheus, "query_range", { query, start: now - RANGE_S, end: now, step: 5 })
        : await ask(prometheus, "query", { query });
      const series = result.map(({ metric }) => metric);
      answers.push({ dashboard: uid, panel: panel.title, legend: legendFormat, expr: query, series });
    }
  }
  return answers;
}

/** Names of labels that a legend shows and a series does not have. */
export function labelsMissing({ legend, series }: Answer): string[] {
  const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
  return series.flatMap((labels) => shown.filter((label) => labels[label] === undefined));
}

function interpolated(expression: string, values: Values): string {
  return Object.entries({ ...values, __rate_interval: RATE_INTERVAL }).reduce(
    (text, [name, value]) => text.replaceAll(`$${name}`, value),
    expression,
  );
}

async function ask(
  prometheus: string,
  what: "query" | "query_range",
  parameters: Readonly<Record<string, string | number>>,
): Promise<PrometheusAnswer["data"]> {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) body.set(name, String(value));
  const response = await fetch(`${prometheus}/api/v1/${what}`, { method: "POST", body });
  const answer = (await response.json()) as PrometheusAnswer;
  if (answer.status !== "success") throw new Error(`${parameters["query"]}: ${answer.error}`);
  return answer.data;
}
