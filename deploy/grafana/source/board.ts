/** What the dashboards have in common: variables, links among them, marks on the time axis, and where panels lie. */
import { DATASOURCE, SCHEMA_VERSION } from "./model.ts";
import type { Annotation, Dashboard, Link, Panel, PlacedPanel, Variable } from "./model.ts";

const TAG = "kvm-governor";
/** Grafana's grid has this many columns. */
const COLUMNS = 24;

/** A panel with its size in Grafana's grid: columns of 24, and rows of 30 pixels. */
export type Sized = readonly [panel: Panel, width: number, height: number];

export interface Board {
  uid: string;
  title: string;
  description: string;
  variables: readonly Variable[];
  annotations: readonly Annotation[];
  /** In reading order: a line ends where the next panel does not fit. */
  panels: readonly Sized[];
}

export function dashboard({ variables, annotations, panels, ...rest }: Board): Dashboard {
  return {
    ...rest,
    tags: [TAG],
    schemaVersion: SCHEMA_VERSION,
    editable: true,
    graphTooltip: 1,
    time: { from: "now-1h", to: "now" },
    refresh: "30s",
    timezone: "browser",
    links: [OTHERS],
    annotations: { list: annotations },
    templating: { list: [DATASOURCE_VARIABLE, ...variables] },
    panels: placed(panels),
  };
}

/** The other dashboards, with the same time and the same host and guest. */
const OTHERS: Link = {
  title: "kvm-governor",
  type: "dashboards",
  tags: [TAG],
  asDropdown: false,
  includeVars: true,
  keepTime: true,
  targetBlank: false,
  icon: "external link",
  tooltip: "",
  url: "",
};

const DATASOURCE_VARIABLE: Variable = {
  name: "datasource",
  label: "Prometheus",
  type: "datasource",
  query: "prometheus",
  refresh: 1,
  regex: "",
  hide: 0,
  multi: false,
  includeAll: false,
  current: {},
  options: [],
};

/** Of several labels, one is shown and one is meant: Grafana takes them from `{label="value",…}`, in alphabetical order. */
function byName(name: string, label: string, query: string, regex: string): Variable {
  return {
    name,
    label,
    type: "query",
    datasource: DATASOURCE,
    query: { query: `query_result(${query})`, refId: `Variable-${name}` },
    regex,
    // At each change of the time range: guests come and go.
    refresh: 2,
    sort: 5,
    hide: 0,
    multi: false,
    includeAll: false,
    current: {},
    options: [],
  };
}

/** Hosts by name; the value is the host's id. */
export const HOST_VARIABLE = byName(
  "host",
  "Host",
  "kvmgov:host_name:info",
  '/host="(?<value>[^"]+)",name="(?<text>[\\s\\S]+)"/',
);

/**
 * Guests of the host by name; the value is the guest's UUID. A name is its owner's and may hold anything, also what looks like a
 * label: the name goes up to the last `",uuid="`, so that no name can lead to another guest.
 */
export const GUEST_VARIABLE = byName(
  "guest",
  "Guest",
  'max by (name, uuid) (kvmgov:guest_name:info{host="$host"})',
  '/name="(?<text>[\\s\\S]+)",uuid="(?<value>[^"]+)"\\}/',
);

/** Marks the moments at which an expression is not empty. */
export function mark(name: string, expr: string, color: string, text: string): Annotation {
  return {
    name,
    datasource: DATASOURCE,
    enable: true,
    hide: false,
    iconColor: color,
    expr,
    step: "30s",
    titleFormat: name,
    textFormat: text,
    useValueForTime: false,
  };
}

/** Address of a dashboard for one host or guest of a table's row; `more`: other variables, as `&var-NAME=VALUE`. */
export function linkTo(uid: string, variable: string, field: string, more = ""): string {
  return `/d/${uid}?var-${variable}=\${__data.fields["${field}"]}${more}&var-datasource=\${datasource}&\${__url_time_range}`;
}

function placed(panels: readonly Sized[]): PlacedPanel[] {
  let [x, y, lineHeight] = [0, 0, 0];
  return panels.map(([panel, w, h], index) => {
    if (x + w > COLUMNS) [x, y, lineHeight] = [0, y + lineHeight, 0];
    const gridPos = { h, w, x, y };
    x += w;
    lineHeight = Math.max(lineHeight, h);
    return { id: index + 1, ...panel, gridPos };
  });
}
