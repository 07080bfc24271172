/**
 * What Grafana's dashboard model demands of a file (kinds/dashboard/dashboard_kind.cue and the panel plugins' panelcfg.cue),
 * as far as our dashboards use it. Unknown keys are refused: Grafana would pass over them in silence.
 */
import { z } from "zod";

const text = z.string().min(1);
const datasource = z.strictObject({ type: z.literal("prometheus"), uid: z.literal("${datasource}") });
const color = z.enum(["green", "orange", "red", "blue", "text"]);

const target = z.strictObject({
  refId: z.string().regex(/^[A-Z]$/),
  datasource,
  expr: text,
  legendFormat: z.string(),
  instant: z.boolean(),
  range: z.boolean(),
  format: z.enum(["time_series", "table"]),
});

const mapping = z.strictObject({
  type: z.literal("value"),
  options: z.record(z.string(), z.strictObject({ text, color: color.optional() })),
});

const thresholds = z.strictObject({
  mode: z.literal("absolute"),
  // The first is from minus infinity, the others ascend.
  steps: z
    .array(z.strictObject({ color, value: z.number().nullable() }))
    .min(1)
    .refine(([first, ...rest]) => first?.value === null && rest.every(({ value }) => value !== null))
    .refine((steps) => steps.every(({ value }, i) => i < 2 || (value ?? 0) > (steps[i - 1]?.value ?? 0))),
});

const fieldColor = z.strictObject({
  mode: z.enum(["thresholds", "palette-classic", "fixed"]),
  fixedColor: color.optional(),
});

const defaults = z.strictObject({
  /** Ids of @grafana/data's valueFormats. */
  unit: z.enum(["short", "percentunit", "s"]).optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  decimals: z.int().min(0).optional(),
  noValue: text.optional(),
  color: fieldColor.optional(),
  thresholds: thresholds.optional(),
  mappings: z.array(mapping).optional(),
  custom: z.record(z.string(), z.unknown()).optional(),
});

const property = z.discriminatedUnion("id", [
  z.strictObject({ id: z.literal("unit"), value: text }),
  z.strictObject({ id: z.literal("decimals"), value: z.int() }),
  z.strictObject({ id: z.literal("color"), value: fieldColor }),
  z.strictObject({ id: z.literal("mappings"), value: z.array(mapping) }),
  z.strictObject({ id: z.literal("thresholds"), value: thresholds }),
  z.strictObject({
    id: z.literal("links"),
    value: z.array(z.strictObject({ title: text, url: text, targetBlank: z.boolean() })),
  }),
  z.strictObject({
    id: z.enum(["custom.stacking", "custom.fillOpacity", "custom.lineStyle", "custom.cellOptions"]),
    value: z.unknown(),
  }),
]);

const gridPos = z.strictObject({
  h: z.int().min(1),
  w: z.int().min(1).max(24),
  x: z.int().min(0).max(23),
  y: z.int().min(0),
});

const shown = {
  id: z.int().min(1),
  title: text,
  gridPos,
  description: text,
  datasource,
  targets: z.array(target).min(1),
  fieldConfig: z.strictObject({
    defaults,
    overrides: z.array(
      z.strictObject({
        matcher: z.strictObject({ id: z.literal("byName"), options: text }),
        properties: z.array(property).min(1),
      }),
    ),
  }),
};

const legend = z.strictObject({
  displayMode: z.enum(["list", "table"]),
  placement: z.enum(["bottom", "right"]),
  showLegend: z.boolean(),
  calcs: z.array(z.string()).optional(),
});
const tooltip = z.strictObject({
  mode: z.enum(["single", "multi", "none"]),
  sort: z.enum(["none", "asc", "desc"]),
});

const panel = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("row"),
    id: z.int().min(1),
    title: text,
    gridPos,
    collapsed: z.literal(false),
    panels: z.array(z.never()),
  }),
  z.strictObject({ type: z.literal("timeseries"), ...shown, options: z.strictObject({ legend, tooltip }) }),
  z.strictObject({
    type: z.literal("stat"),
    ...shown,
    options: z.strictObject({
      colorMode: z.enum(["none", "value", "background"]),
      graphMode: z.enum(["none", "area"]),
      justifyMode: z.enum(["auto", "center"]),
      orientation: z.enum(["auto", "horizontal", "vertical"]),
      textMode: z.enum(["auto", "value", "name", "value_and_name"]),
      reduceOptions: z.strictObject({
        calcs: z.tuple([z.literal("lastNotNull")]),
        fields: z.literal(""),
        values: z.literal(false),
      }),
    }),
  }),
  z.strictObject({
    type: z.literal("state-timeline"),
    ...shown,
    options: z.strictObject({
      mergeValues: z.boolean(),
      rowHeight: z.number(),
      showValue: z.enum(["auto", "always", "never"]),
      alignValue: z.enum(["left", "center", "right"]),
      legend,
      tooltip,
    }),
  }),
  z.strictObject({
    type: z.literal("table"),
    ...shown,
    transformations: z.tuple([
      z.strictObject({ id: z.literal("merge"), options: z.strictObject({}) }),
      z.strictObject({
        id: z.literal("organize"),
        options: z.strictObject({
          excludeByName: z.record(z.string(), z.boolean()),
          indexByName: z.record(z.string(), z.int()),
          renameByName: z.record(z.string(), text),
        }),
      }),
    ]),
    options: z.strictObject({
      cellHeight: z.enum(["sm", "md", "lg"]),
      showHeader: z.boolean(),
      footer: z.strictObject({
        show: z.boolean(),
        countRows: z.boolean(),
        reducer: z.array(z.string()),
      }),
    }),
  }),
]);

const variable = {
  name: z.string().regex(/^[a-z]+$/),
  label: text,
  regex: z.string(),
  refresh: z.literal([1, 2]),
  hide: z.literal(0),
  multi: z.literal(false),
  includeAll: z.literal(false),
  current: z.strictObject({}),
  options: z.tuple([]),
};

export const dashboardSchema = z.strictObject({
  uid: z.string().regex(/^[a-zA-Z0-9_-]{8,40}$/),
  title: text,
  description: text,
  tags: z.array(text).min(1),
  schemaVersion: z.int().min(36),
  editable: z.boolean(),
  graphTooltip: z.literal([0, 1, 2]),
  time: z.strictObject({ from: z.string().regex(/^now-\d+[mhd]$/), to: z.literal("now") }),
  refresh: z.string().regex(/^\d+[smh]$/),
  timezone: z.literal("browser"),
  links: z.array(
    z.strictObject({
      title: text,
      type: z.enum(["link", "dashboards"]),
      tags: z.array(text),
      asDropdown: z.boolean(),
      includeVars: z.boolean(),
      keepTime: z.boolean(),
      targetBlank: z.boolean(),
      icon: z.string(),
      tooltip: z.string(),
      url: z.string(),
    }),
  ),
  annotations: z.strictObject({
    list: z.array(
      z.strictObject({
        name: text,
        datasource,
        enable: z.boolean(),
        hide: z.boolean(),
        iconColor: color,
        expr: text,
        step: z.string().regex(/^\d+s$/),
        titleFormat: text,
        textFormat: text,
        useValueForTime: z.boolean(),
      }),
    ),
  }),
  templating: z.strictObject({
    list: z.array(
      z.discriminatedUnion("type", [
        z.strictObject({ type: z.literal("datasource"), ...variable, query: z.literal("prometheus") }),
        z.strictObject({
          type: z.literal("query"),
          ...variable,
          datasource,
          query: z.strictObject({ query: text, refId: text }),
          sort: z.int().min(0).max(6),
        }),
      ]),
    ),
  }),
  panels: z.array(panel).min(1),
});
export type GrafanaDashboard = z.output<typeof dashboardSchema>;
