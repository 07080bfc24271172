/** The fleet's page. */
import type { AlarmRow, FleetRow, HostRow, Model, Patch } from "../model/model.ts";
import { sinceText, timeText } from "./clock.ts";
import { byId, el, isolated, setText, severityBadge } from "./dom.ts";
import { cores, orDash, percent, plural, thresholds, wholeNumber } from "./figures.ts";
import { onlyRow, rowsOf } from "./live.ts";
import { Alarms, Facts, showCrumbs, startPage } from "./page.ts";
import type { Freshness } from "./page.ts";
import { KeyedTable, filterField } from "./table.ts";
import { clock } from "./clock.ts";

type Host = HostRow;

/** Parts of a host's CPUs, in the order they are drawn. */
const PARTS = [
  ["service", "services", (row: Host) => row.serviceCores],
  ["scientific", "scientific", (row: Host) => row.scientificCores],
  ["exempt", "exempt", (row: Host) => row.exemptCores],
  ["host", "host", (row: Host) => row.hostCores],
] as const;

const partOf = (row: Host, used: number): number => (row.capacityCores ? used / row.capacityCores : 0);

const barText = (row: Host): string =>
  row.capacityCores === null
    ? "not known"
    : PARTS.map(([, name, pick]) => `${name} ${percent(partOf(row, pick(row)))}`).join(", ");

function fillBar(cell: HTMLElement, row: Host): void {
  let bar = cell.querySelector<HTMLElement>(".stack");
  if (bar === null) {
    bar = el(
      "div",
      { class: "stack", role: "img" },
      PARTS.map(([name]) => el("span", { class: `is-${name}` })),
    );
    cell.replaceChildren(bar);
  }
  bar.setAttribute("aria-label", barText(row));
  bar.title = barText(row);
  for (const [i, [, , pick]] of PARTS.entries()) {
    const part = bar.children[i];
    if (part instanceof HTMLElement) part.style.width = percent(Math.min(1, partOf(row, pick(row))));
  }
}

/** Age of the last sample; healthy hosts all say the same. */
function freshText(row: Host): string {
  if (row.sampleAtMs === null) return "none yet";
  if (clock() - row.sampleAtMs <= row.staleAfterMs) return "live";
  return `none since ${timeText(row.sampleAtMs)} (${sinceText(row.sampleAtMs)})`;
}

const SEVERITY_ORDER = { critical: 0, warning: 1, info: 2, "": 3 } as const;

const table = new KeyedTable<Host>({
  caption: "Hosts with capacity, idle CPU, guests by class, plan and alarms",
  sortedBy: "state",
  empty: "No host yet: no collector has sent a sample or announced itself.",
  columns: [
    {
      id: "name",
      title: "Host",
      text: (row) => row.name,
      sortBy: (row) => row.name,
      fill: (cell, row, key) =>
        cell.replaceChildren(
          el("a", { href: `/console/host/${key}`, title: `id ${key}` }, [isolated(row.name)]),
        ),
    },
    {
      id: "state",
      title: "State",
      hint: "The worst of its alarms",
      text: (row) => `${row.severity} ${row.alarms}`,
      sortBy: (row) => SEVERITY_ORDER[row.severity],
      fill: (cell, row) =>
        cell.replaceChildren(
          row.severity === ""
            ? el("span", { class: "good", text: "✓ good" })
            : severityBadge(row.severity, row.alarms > 1 ? `${row.severity}, ${row.alarms}` : row.severity),
        ),
    },
    {
      id: "cpus",
      title: "CPUs",
      isNumber: true,
      text: (row) => orDash(row.capacityCores, String),
      sortBy: (row) => row.capacityCores ?? -1,
    },
    {
      id: "use",
      title: "Use",
      hint: "What services, scientific and exempt guests and the host itself use of its CPUs",
      text: barText,
      sortBy: (row) => (row.capacityCores === null ? -1 : 1 - (row.idleCores ?? 0) / row.capacityCores),
      fill: fillBar,
    },
    {
      id: "idle",
      title: "Idle",
      hint: "Cores that nobody uses",
      isNumber: true,
      text: (row) => orDash(row.idleCores, cores),
      sortBy: (row) => row.idleCores ?? -1,
    },
    {
      id: "available",
      title: "For scientific",
      hint: "Cores that services, exempt guests and the host leave to scientific guests",
      isNumber: true,
      text: (row) => orDash(row.availableCores, cores),
      sortBy: (row) => row.availableCores ?? -1,
    },
    {
      id: "services",
      title: "Services",
      isNumber: true,
      text: (row) => wholeNumber(row.services),
      sortBy: (row) => row.services,
    },
    {
      id: "scientific",
      title: "Scientific",
      isNumber: true,
      text: (row) => wholeNumber(row.scientific),
      sortBy: (row) => row.scientific,
    },
    {
      id: "exempt",
      title: "Exempt",
      isNumber: true,
      text: (row) => wholeNumber(row.exempt),
      sortBy: (row) => row.exempt,
    },
    {
      id: "plan",
      title: "Plan",
      isNumber: true,
      text: (row) => orDash(row.generation, String),
      sortBy: (row) => row.generation ?? -1,
    },
    {
      id: "actuator",
      title: "Actuator",
      hint: "What became of the plan on the host",
      text: (row) => row.actuator,
      sortBy: (row) => row.actuator,
    },
    { id: "sample", title: "Samples", text: freshText, sortBy: (row) => -(row.sampleAtMs ?? 0) },
  ],
});
const facts = new Facts("facts");
const alarms = new Alarms();
const count = el("output", { class: "count" });
let newest: Freshness | undefined;
let hosts: Readonly<Record<string, Host>> = {};
let notShown = 0;

byId("hosts").append(table.element);
byId("hosts-tools").append(
  filterField("Filter", (wanted) => {
    table.filter(({ name }) => wanted === "" || name.toLowerCase().includes(wanted));
    showCount();
  }),
  count,
);
showCrumbs([["Fleet", "/console/"]]);
startPage({ url: "/console/events", render, freshness: () => newest, tick: () => table.update(hosts) });

function render(model: Model, patch: Patch | undefined): void {
  const fleet = onlyRow<FleetRow>(model, "fleet");
  if (fleet === undefined) return;
  hosts = rowsOf<Host>(model, "hosts");
  notShown = fleet.hostsNotShown;
  const rows = Object.values(hosts);
  const idle = fleet.capacityCores === 0 ? "" : percent(fleet.idleCores / fleet.capacityCores);
  facts.show([
    ["Hosts", wholeNumber(fleet.hosts)],
    ["CPUs", wholeNumber(fleet.capacityCores)],
    ["Idle", idle === "" ? "–" : idle, `${fleet.idleCores.toFixed(1)} cores`],
    ["Services", wholeNumber(fleet.services), "in LIST_se"],
    ["Scientific", wholeNumber(fleet.scientific), "in LIST_sc"],
    ["Exempt", wholeNumber(fleet.exempt), "left alone"],
    ["Alarms", wholeNumber(fleet.critical + fleet.warning), `${fleet.critical} critical`],
    ["Thresholds", thresholds(fleet), `every ${fleet.periodMs / 1000} s, preset ${fleet.preset}`],
  ]);
  alarms.show(rowsOf<AlarmRow>(model, "alarms"));
  table.update(hosts, patch === undefined ? undefined : Object.keys(patch.set["hosts"] ?? {}));
  // The page is as fresh as its freshest host: one that is silent has an alarm of its own.
  newest = rows.reduce<Freshness | undefined>(
    (best, row) => ((row.sampleAtMs ?? 0) > (best?.sampleAtMs ?? 0) ? row : best),
    undefined,
  );
  showCount();
}

function showCount(): void {
  const more = notShown === 0 ? "" : `; ${plural(notShown, "host")} without alarms not listed`;
  setText(count, `${table.shown} of ${plural(table.size, "host")}${more}`);
}
