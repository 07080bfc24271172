/** The dashboards in deploy/grafana: made from their source, as Grafana's model demands, on series that exist. */
import { readFileSync, readdirSync } from "node:fs";
import { beforeAll, describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { dashboards } from "../../deploy/grafana/source/index.ts";
import { readDeployed, repository } from "../support/deployed.ts";
import { optionOf } from "../support/grafana.ts";
import { dashboardSchema } from "../support/grafana-model.ts";
import type { GrafanaDashboard } from "../support/grafana-model.ts";
import { selectorsIn } from "../support/promql.ts";
import { dashboardFile, dashboardText } from "./dashboard-files.ts";
import { familiesOfServices } from "./families.ts";

const RULES = `${repository}deploy/prometheus/rules/`;
/** What Prometheus makes by itself, with the labels that we ask for. */
const OWN = new Map([
  ["up", ["job"]],
  ["ALERTS", ["alertname", "alertstate"]],
]);
/** What scraping adds to every series. */
const ADDED = ["host", "job", "instance"];
/** Labels of recorded series: they are sums over everything else. */
const RECORDED = ["host", "uuid", "name"];

const read = (name: string): GrafanaDashboard =>
  dashboardSchema.parse(JSON.parse(readFileSync(dashboardFile(name), "utf8")));
const names = Object.keys(dashboards);

function expressionsOf({ panels, annotations, templating }: GrafanaDashboard): string[] {
  const ofVariables = templating.list.flatMap((variable) =>
    variable.type === "query" ? [variable.query.query.replace(/^query_result\((.*)\)$/, "$1")] : [],
  );
  const ofPanels = panels
    .flatMap((panel) => (panel.type === "row" ? [] : panel.targets))
    .map(({ expr }) => expr);
  return [...ofPanels, ...annotations.list.map(({ expr }) => expr), ...ofVariables];
}

describe("dashboards of Grafana", () => {
  /** Labels by the name of a series. */
  let known: Map<string, readonly string[]>;

  beforeAll(async () => {
    known = new Map(OWN);
    for (const { name, type, labels } of [...(await familiesOfServices()).values()].flat()) {
      const series = type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
      for (const each of series) known.set(each, [...(known.get(each) ?? []), ...labels, ...ADDED]);
    }
    for (const file of readdirSync(RULES)) {
      const { groups } = parse(readFileSync(RULES + file, "utf8")) as {
        groups: { rules: { record?: string }[] }[];
      };
      for (const { record } of groups.flatMap(({ rules }) => rules)) if (record) known.set(record, RECORDED);
    }
  });

  /** Names and labels that no series has. */
  function unknownIn(expression: string): string[] {
    return selectorsIn(expression).flatMap(({ name, labels }) => {
      const has = known.get(name);
      if (has === undefined) return [name];
      return labels.filter((label) => !has.includes(label)).map((label) => `${name}{${label}}`);
    });
  }

  it.each(names)("%s.json is what its source says (else: npm run docs)", async (name) => {
    expect(readFileSync(dashboardFile(name), "utf8")).toBe(await dashboardText(dashboards[name]!));
  });

  it("are the three that are provisioned, and no others", () => {
    expect(readdirSync(`${repository}deploy/grafana/dashboards`).sort()).toEqual(
      names.map((name) => `${name}.json`).sort(),
    );
  });

  it.each(names)("%s asks only for series and labels that exist", (name) => {
    const expressions = expressionsOf(read(name));
    expect(expressions.length).toBeGreaterThan(15);
    expect(expressions.flatMap(unknownIn)).toEqual([]);
    const planted =
      'sum(kvmgov_planted_total) + kvmgov_guests{flavour="x"} + kvmgov:planted:rate5m + node_load1';
    expect(unknownIn(planted)).toEqual([
      ...["kvmgov_planted_total", "kvmgov_guests{flavour}", "kvmgov:planted:rate5m", "node_load1"],
    ]);
  });

  it.each(names)("%s names no variable that it does not have", (name) => {
    const board = read(name);
    const own = board.templating.list.map((variable) => variable.name);
    const used = [...JSON.stringify(board).matchAll(/\$\{?([a-zA-Z_]+)/g)].map((match) => match[1] ?? "");
    expect(used.filter((each) => !own.includes(each) && !each.startsWith("__"))).toEqual([]);
    expect(own.filter((each) => !used.includes(each))).toEqual([]);
  });

  it.each(names)("%s has panels side by side, each with an id of its own", (name) => {
    const { panels } = read(name);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = new Set<string>();
    for (const { title, gridPos } of panels) {
      expect({ title, end: gridPos.x + gridPos.w }).toEqual({ title, end: expect.any(Number) });
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect({ title, x, y, taken: cells.has(`${x} ${y}`) }).toEqual({ title, x, y, taken: false });
          cells.add(`${x} ${y}`);
        }
      }
    }
  });

  it.each(names)("%s asks each panel's queries by letters of their own", (name) => {
    for (const panel of read(name).panels) {
      if (panel.type === "row") continue;
      const refs = panel.targets.map(({ refId }) => refId);
      expect({ title: panel.title, refs }).toEqual({ title: panel.title, refs: [...new Set(refs)] });
      for (const { instant, range } of panel.targets) expect(instant).not.toBe(range);
    }
  });

  it("lead to each other", () => {
    const boards = names.map(read);
    const uids = boards.map(({ uid }) => uid);
    expect(new Set(uids).size).toBe(3);
    const urls = boards.flatMap((board) => [...JSON.stringify(board).matchAll(/"\/d\/([\w-]+)\?/g)]);
    expect(new Set(urls.map((match) => match[1]))).toEqual(new Set(["kvmgov-guest", "kvmgov-host"]));
    for (const { links, tags } of boards) {
      expect(links[0]).toMatchObject({ type: "dashboards", tags, keepTime: true, includeVars: true });
    }
  });

  it("take the name and the id of a guest apart, whatever its owner called it", () => {
    const variable = read("guest").templating.list.find(({ name }) => name === "guest")!;
    for (const name of ["web", 'solver "2"', "a\nb", 'x",uuid="other"} 1 0', "ü/}$"]) {
      const series = { metric: { name, uuid: "u-1" }, value: [1, "1"] as [number, string] };
      expect(optionOf(series, variable.regex)).toEqual([{ text: name, value: "u-1" }]);
    }
  });

  it("are refused by the model with a key that Grafana does not know", () => {
    const board = read("fleet");
    expect(dashboardSchema.safeParse({ ...board, planted: 1 }).success).toBe(false);
    const [first, ...rest] = board.panels;
    const planted = { ...board, panels: [{ ...first, gridPos: { h: 1, w: 25, x: 0, y: 0 } }, ...rest] };
    expect(dashboardSchema.safeParse(planted).success).toBe(false);
  });

  it("are provisioned with a data source of Prometheus, from where compose mounts them", async () => {
    const { datasources } = parse(
      await readDeployed("deploy/grafana/provisioning/datasources/prometheus.yml"),
    ) as { datasources: Record<string, unknown>[] };
    expect(datasources).toMatchObject([
      { type: "prometheus", url: "http://prometheus:9090", isDefault: true },
    ]);
    const { providers } = parse(
      await readDeployed("deploy/grafana/provisioning/dashboards/kvm-governor.yml"),
    ) as { providers: { type: string; options: { path: string } }[] };
    expect(providers).toMatchObject([{ type: "file", options: { path: "/etc/grafana/dashboards" } }]);
    const compose = parse(await readDeployed("docker-compose.yml"), { merge: true }) as {
      services: Record<string, { volumes: string[] }>;
    };
    expect(compose.services["grafana"]?.volumes).toEqual(
      expect.arrayContaining([
        "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro",
        "./deploy/grafana/dashboards:/etc/grafana/dashboards:ro",
      ]),
    );
  });
});
