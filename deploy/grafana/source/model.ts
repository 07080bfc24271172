/**
 * The parts of Grafana's classic dashboard model that ours use (kinds/dashboard/dashboard_kind.cue of Grafana; schema
 * version 39: Grafana 11 takes it as it is, later ones bring it up to date as they load it).
 */

export const SCHEMA_VERSION = 39;

/** By the variable `datasource`, so that the dashboards also work with a Prometheus that somebody else provisioned. */
export const DATASOURCE: DataSource = { type: "prometheus", uid: "${datasource}" };

export interface DataSource {
  type: string;
  uid: string;
}

export interface Target {
  refId: string;
  datasource: DataSource;
  expr: string;
  legendFormat: string;
  instant: boolean;
  range: boolean;
  format: "time_series" | "table";
}

export interface GridPos {
  h: number;
  w: number;
  x: number;
  y: number;
}

export interface Threshold {
  color: string;
  /** Null: from minus infinity. */
  value: number | null;
}

export interface FieldDefaults {
  unit?: string;
  min?: number;
  max?: number;
  decimals?: number;
  noValue?: string;
  color?: { mode: string; fixedColor?: string };
  thresholds?: { mode: "absolute"; steps: readonly Threshold[] };
  mappings?: readonly unknown[];
  custom?: Readonly<Record<string, unknown>>;
}

export interface Override {
  matcher: { id: "byName" | "byRegexp"; options: string };
  properties: readonly { id: string; value: unknown }[];
}

export interface Panel {
  type: "stat" | "timeseries" | "table" | "state-timeline" | "row";
  title: string;
  /** What it shows and how to read it: Grafana shows it at the panel's "i". */
  description?: string;
  datasource?: DataSource;
  targets?: readonly Target[];
  fieldConfig?: { defaults: FieldDefaults; overrides: readonly Override[] };
  options?: Readonly<Record<string, unknown>>;
  transformations?: readonly { id: string; options: unknown }[];
  /** Of a row: empty, its panels follow it. */
  collapsed?: false;
  panels?: readonly never[];
}

export interface PlacedPanel extends Panel {
  id: number;
  gridPos: GridPos;
}

export interface Variable {
  name: string;
  label: string;
  type: "datasource" | "query";
  query: string | { query: string; refId: string };
  [option: string]: unknown;
}

export interface Link {
  title: string;
  type: "dashboards" | "link";
  [option: string]: unknown;
}

export interface Annotation {
  name: string;
  expr: string;
  [option: string]: unknown;
}

export interface Dashboard {
  uid: string;
  title: string;
  description: string;
  tags: readonly string[];
  schemaVersion: number;
  editable: boolean;
  graphTooltip: 0 | 1 | 2;
  time: { from: string; to: string };
  refresh: string;
  timezone: "browser";
  links: readonly Link[];
  annotations: { list: readonly Annotation[] };
  templating: { list: readonly Variable[] };
  panels: readonly PlacedPanel[];
}
