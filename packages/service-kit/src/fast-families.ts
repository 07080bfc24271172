/**
 * Families of metrics with very many series, behind prom-client's registry. prom-client makes an object for each series
 * and formats its labels at each scrape (174 ms for 100,000 series, measured); here a family writes its own bytes, with
 * labels that the caller formatted once.
 */
import type { Metric, Registry } from "prom-client";
import { PageWriter } from "./page-writer.ts";

export interface FamilySpec {
  /** Begins with `kvmgov_`; counters end in `_total`. */
  name: string;
  help: string;
  type: "counter" | "gauge";
  /** Names of the labels that its series carry. */
  labels: readonly string[];
  /** `ns`: values come in nanoseconds and are written in seconds, every digit of them. By default as they come. */
  unit?: "ns";
}

/** Formatted labels as bytes: `{a="b",c="d"}`, or nothing. */
export type LabelText = Uint8Array & { readonly labelText: unique symbol };

/**
 * Formats labels, escaped as the exposition format asks for: backslash, quote and newline. To be kept by the caller.
 * @throws {RangeError} a name that is no label name
 */
export function labelText(labels: Readonly<Record<string, string>>): LabelText {
  const parts = Object.entries(labels).map(([name, value]) => {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name))
      throw new RangeError(`not a label name: ${JSON.stringify(name)}`);
    return `${name}="${escapeLabelValue(value)}"`;
  });
  return Buffer.from(parts.length === 0 ? "" : `{${parts.join(",")}}`) as Uint8Array as LabelText;
}

function escapeLabelValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

/** Takes the series of one family, one by one. The same labels must not come twice. */
export type WriteSeries = (labels: LabelText, value: number) => void;

/** A family that can write itself: see `PageRegistry`. */
export interface FastFamily {
  /** HELP, TYPE and all series, each line with its end. Throws nothing. */
  writeTo: (page: PageWriter) => void;
}

/**
 * Adds a family to the registry. `collect` runs at each scrape.
 * A `collect` that throws costs its own family this scrape, never the page; `onError` hears of it.
 */
export function registerFamily(
  registry: Registry,
  spec: FamilySpec,
  collect: (write: WriteSeries) => void,
  onError: (family: string, error: unknown) => void,
): void {
  const { name, help, type, labels } = spec;
  const head = `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
  const writeSeries = (page: PageWriter): void => {
    const before = page.place;
    try {
      collect(seriesWriter(page, spec));
    } catch (error) {
      page.backTo(before);
      onError(name, error);
    }
  };
  const family: FastFamily = {
    writeTo: (page) => {
      page.text(head);
      writeSeries(page);
    },
  };
  const get = (): unknown => {
    const page = new PageWriter();
    writeSeries(page);
    return { name, help, type, aggregator: "sum", values: asOneValue(Buffer.concat(page.take()).toString()) };
  };
  // The registry needs a name and get() of a metric; prom-client's types name its own four classes.
  const metric = { name, help, type, labelNames: labels, get, reset: () => undefined, ...family };
  registry.registerMetric(metric as unknown as Metric);
}

export function isFastFamily(metric: object): metric is FastFamily {
  return "writeTo" in metric;
}

function seriesWriter(page: PageWriter, { name, unit }: FamilySpec): WriteSeries {
  const bytes = Buffer.from(name);
  if (unit === "ns") return (labels, value) => page.seriesOfSeconds(bytes, labels, value);
  return (labels, value) => page.series(bytes, labels, value);
}

interface PromValue {
  metricName: string;
  labels: Record<string, never>;
  value: number;
}

/**
 * For a registry that knows nothing of us: all series as one "value" of prom-client, whose name is the text of every line but for the
 * last number: the registry prints `metricName value` (prom-client 15.1, Registry.getMetricsAsString).
 */
function asOneValue(text: string): PromValue[] {
  if (text === "") return [];
  const last = text.lastIndexOf(" ");
  return [
    {
      metricName: text.slice(0, last),
      labels: {},
      value: Number(text.slice(last).replace("Inf", "Infinity")),
    },
  ];
}

/** As prom-client does. */
function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
