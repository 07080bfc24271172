/** A host's page. */
import type { AlarmRow, CpuRow, GuestRow, HostFactsRow, Model, Patch } from "../model/model.ts";
import { CpuMap, cpuTable } from "./cpu-map.ts";
import { byId, el, setHidden, setText } from "./dom.ts";
import { cores, orDash, percent, plural, thresholds, wholeNumber } from "./figures.ts";
import { guestTable } from "./host-table.ts";
import { onlyRow, rowsOf } from "./live.ts";
import { Alarms, Facts, idsOfPage, showCrumbs, showTitle, startPage } from "./page.ts";
import type { Freshness } from "./page.ts";
import { choice, filterField } from "./table.ts";

const { host } = idsOfPage();
const facts = new Facts("facts");
const alarms = new Alarms();
const map = new CpuMap(byId("map"), host);
const mapTable = cpuTable();
const table = guestTable(host);
const count = el("output", { class: "count" });
let head: HostFactsRow | undefined;
let wantedName = "";
let wantedClass = "all";

byId("map-table").append(mapTable.element);
byId("guests").append(table.element);
byId("guests-tools").append(
  choice(
    "Which guests",
    "class",
    [
      ["all", "all"],
      ["scientific", "◆ scientific"],
      ["service", "■ services"],
      ["exempt", "● exempt"],
    ],
    (value) => {
      wantedClass = value;
      filter();
    },
  ),
  filterField("Filter", (wanted) => {
    wantedName = wanted;
    filter();
  }),
  count,
);
startPage({ url: `/console/host/${host}/events`, render, freshness: (): Freshness | undefined => head });

function render(model: Model, patch: Patch | undefined): void {
  head = onlyRow<HostFactsRow>(model, "host");
  if (head === undefined) return;
  showTitle(`Host ${head.name}`);
  showCrumbs([
    ["Fleet", "/console/"],
    [head.name, `/console/host/${host}`],
  ]);
  showFacts(head);
  alarms.show(rowsOf<AlarmRow>(model, "alarms"), host);
  showCpus(model, patch);
  table.update(
    rowsOf<GuestRow>(model, "guests"),
    patch === undefined ? undefined : Object.keys(patch.set["guests"] ?? {}),
  );
  showCount(head);
}

function showFacts(row: HostFactsRow): void {
  const idle =
    row.idleCores === null || row.capacityCores === null ? null : row.idleCores / row.capacityCores;
  const used = (part: number): string => `${cores(part)} cores used`;
  facts.show([
    [
      "CPUs",
      orDash(row.capacityCores, String),
      row.reserveCores > 0 ? `${row.reserveCores} cores kept for the host` : "",
    ],
    ["Idle", orDash(idle, percent), orDash(row.idleCores, (value) => `${cores(value)} cores`)],
    ["Services", wholeNumber(row.services), used(row.serviceCores)],
    ["Scientific", wholeNumber(row.scientific), used(row.scientificCores)],
    ["Exempt", wholeNumber(row.exempt), used(row.exemptCores)],
    [
      "Host itself",
      cores(row.hostCores),
      row.pressure === null ? "cores" : `cores; tasks wait ${percent(row.pressure)}`,
    ],
    ["Left to scientific", orDash(row.availableCores, cores), "cores"],
    [
      "Plan",
      orDash(row.generation, String),
      `${row.actuator}${row.sampleToReadBackMs === null ? "" : `, read back in ${Math.round(row.sampleToReadBackMs)} ms`}`,
    ],
    ["Thresholds", thresholds(row), `preset ${row.preset}`],
    ["Kernel", row.kernel || "–", `id ${row.id}${row.cgroup === "" ? "" : `, cgroup ${row.cgroup}`}`],
  ]);
}

function showCpus(model: Model, patch: Patch | undefined): void {
  if (patch !== undefined && patch.set["cpus"] === undefined && patch.gone["cpus"] === undefined) {
    showMapNote();
    return;
  }
  const cpus = rowsOf<CpuRow>(model, "cpus");
  map.show(cpus);
  mapTable.update(cpus);
  showMapNote();
}

function showMapNote(): void {
  const note = byId("map-note");
  const state = head?.actuator ?? "";
  const isInForce = state === "in force";
  setHidden(note, isInForce);
  setText(note, isInForce ? "" : `As planned. Not in force now (actuator: ${state}).`);
}

function filter(): void {
  table.filter(
    (row) =>
      (wantedClass === "all" || row.class === wantedClass) &&
      (wantedName === "" || row.name.toLowerCase().includes(wantedName)),
  );
  if (head !== undefined) showCount(head);
}

function showCount({ guestsNotShown, known, startedAtMs }: HostFactsRow): void {
  const more = guestsNotShown === 0 ? "" : `; ${plural(guestsNotShown, "guest")} more not listed`;
  const nothing = known
    ? ""
    : ` No classifier that this one (up since ${new Date(startedAtMs).toLocaleString()}) hears knows this host.`;
  setText(count, `${table.shown} of ${plural(table.size, "guest")}${more}.${nothing}`);
}
