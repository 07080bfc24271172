/**
 * Families of metrics with very many series, behind prom-client's registry. prom-client makes an object for each series
 * and formats its labels at each scrape (174 ms for 100,000 series, measured); here a family writes its own text, with
 * labels that the caller formatted once.
 */
import type { Metric, Registry } from "prom-client";

export interface FamilySpec {
  /** Begins with `kvmgov_`; counters end in `_total`. */
  name: string;
  help: string;
  type: "counter" | "gauge";
  /** Names of the labels that its series carry. */
  labels: readonly string[];
}

/** Formatted labels: `{a="b",c="d"}`, or nothing. */
export type LabelText = string & { readonly labelText: unique symbol };

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
  return (parts.length === 0 ? "" : `{${parts.join(",")}}`) as LabelText;
}

function escapeLabelValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

/** Takes the series of one family, one by one. The same labels must not come twice. */
export type WriteSeries = (labels: LabelText, value: number) => void;

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
  const get = (): unknown => {
    try {
      return { name, help, type, aggregator: "sum", values: asOneValue(name, collect) };
    } catch (error) {
      onError(name, error);
      return { name, help, type, aggregator: "sum", values: [] };
    }
  };
  // The registry needs a name and get() of a metric; prom-client's types name its own four classes.
  const metric = { name, help, type, labelNames: labels, get, reset: () => undefined };
  registry.registerMetric(metric as unknown as Metric);
}

interface PromValue {
  metricName: string;
  labels: Record<string, never>;
  value: number;
}

/**
 * All series as one "value" of prom-client, whose name is the text of every line but for the last number: the registry
 * prints `metricName value` (prom-client 15.1, Registry.getMetricsAsString).
 */
function asOneValue(name: string, collect: (write: WriteSeries) => void): PromValue[] {
  let text = "";
  let last = NaN;
  // One expression a line: half the time of keeping each number for the next line (measured, 9,000 series).
  collect((labels, value) => {
    text += name + labels + " " + formatValue(value) + "\n";
    last = value;
  });
  if (text === "") return [];
  return [{ metricName: text.slice(0, text.lastIndexOf(" ")), labels: {}, value: last }];
}

function formatValue(value: number): string {
  if (Number.isFinite(value)) return `${value}`;
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "+Inf" : "-Inf";
}
