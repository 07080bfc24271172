/** A guest's page. */
import type {
  DecisionRow,
  GuestFactsRow,
  Model,
  Patch,
  PointRow,
  VcpuRow,
  WriteRow,
} from "../model/model.ts";
import { clock, sinceText, timeText } from "./clock.ts";
import { byId, classBadge, el, setText } from "./dom.ts";
import { cores, orDash, percent } from "./figures.ts";
import { Decisions, vcpuTable, writeTable } from "./guest-lists.ts";
import { onlyRow, rowsOf } from "./live.ts";
import { Facts, idsOfPage, showCrumbs, showTitle, startPage } from "./page.ts";
import { Plots } from "./plots.ts";
import { choice } from "./table.ts";

const { host, uuid } = idsOfPage();
const facts = new Facts("facts");
const plots = new Plots();
const decisions = new Decisions();
const vcpus = vcpuTable();
const writes = writeTable();
/** The note as the page has it before any data. */
const NOTE = byId("plots-note").textContent;
let guest: GuestFactsRow | undefined;
let model: Model = {};
let range: "fine" | "coarse" = "fine";

byId("vcpus").append(vcpus.element);
byId("writes").append(writes.element);
byId("plots-tools").append(
  choice(
    "Over which time",
    "range",
    [
      ["fine", "5 minutes"],
      ["coarse", "5 hours"],
    ],
    (value) => {
      range = value;
      showPlots();
    },
  ),
);
startPage({
  url: `/console/host/${host}/guest/${uuid}/events`,
  render,
  freshness: () => guest,
  tick: () => {
    if (guest !== undefined) showFacts(guest);
  },
});

function render(now: Model, patch: Patch | undefined): void {
  model = now;
  guest = onlyRow<GuestFactsRow>(model, "guest");
  if (guest === undefined) return;
  const isChanged = (section: string): boolean =>
    patch === undefined || patch.set[section] !== undefined || patch.gone[section] !== undefined;
  showTitle(`Guest ${guest.name}`);
  showCrumbs([
    ["Fleet", "/console/"],
    [guest.hostName, `/console/host/${host}`],
    [guest.name, `/console/host/${host}/guest/${uuid}`],
  ]);
  showFacts(guest);
  if (isChanged("guest")) showWhy(guest);
  if (isChanged("vcpus")) vcpus.update(rowsOf<VcpuRow>(model, "vcpus"));
  if (isChanged("decisions")) decisions.show(rowsOf<DecisionRow>(model, "decisions"));
  if (isChanged("writes")) writes.update(rowsOf<WriteRow>(model, "writes"));
  if (isChanged(range) || isChanged("guest")) showPlots();
}

function showFacts(row: GuestFactsRow): void {
  const list =
    row.class === "service"
      ? "LIST_se"
      : row.class === "scientific"
        ? "LIST_sc"
        : row.class === "exempt"
          ? "left alone"
          : "";
  const since = row.sinceMs === null ? "" : `, for ${sinceText(row.sinceMs)}`;
  const towards = row.class === "service" ? "to LIST_sc" : "to LIST_se";
  facts.show([
    ["List", row.class === "" ? "–" : `${list}`, row.class === "" ? "" : `${row.class}, ${row.how}${since}`],
    ["Used", orDash(row.usage, percent), `of ${row.vcpus} vCPUs`],
    ["Wanted", orDash(row.demand, percent), thresholdText(row)],
    [
      "Waited",
      orDash(row.delay, percent),
      row.slaDelay === null ? "" : `may wait ${shareText(row.slaDelay)} (p99)`,
    ],
    [
      "Count",
      row.class === "exempt" ? "–" : orDash(row.count, String),
      `more than ${row.beta} move it ${towards}`,
    ],
    ["May have", orDash(row.mayCores, cores), "cores"],
    ["SLA", orDash(row.slaCores, cores), row.slaCores === null ? "none declared" : "cores"],
  ]);
}

/** Declared shares may be below a percent. */
const shareText = (part: number): string => `${Number((part * 100).toPrecision(2))}%`;

/** The threshold of the list that it is in. */
function thresholdText({ class: kind, alpha, alphaDown }: GuestFactsRow): string {
  if (kind === "scientific") return `counts below ${percent(alphaDown)}`;
  return kind === "service" ? `counts from alpha ${percent(alpha)} on` : "";
}

function showWhy(row: GuestFactsRow): void {
  const place = byId("why");
  if (!row.known) {
    const since = new Date(row.startedAtMs).toLocaleString();
    const why = row.missing.length === 0 ? "" : ` Not everybody was heard: ${row.missing.join("; ")}.`;
    const text = `No classifier that this one (up since ${since}) hears has a sample of this guest: it is gone from the host, or the host is silent.${why}`;
    place.replaceChildren(el("p", { text }));
    return;
  }
  const since = row.sinceMs === null ? "" : ` since ${timeText(row.sinceMs)}`;
  const lines: HTMLElement[] = [
    el("p", { class: "verdict" }, [
      "It is ",
      ...(row.class === "" ? [] : [classBadge(row.class)]),
      ` (${row.how})${since}${row.why === "" ? "." : ":"}`,
    ]),
    ...(row.why === "" ? [] : [el("p", { class: "because", text: row.why })]),
    el("p", { text: row.seen }),
  ];
  if (row.held !== "") {
    lines.push(el("p", { text: `Held by: ${row.held}.` }));
    lines.push(
      el(
        "ul",
        { class: "reasons" },
        row.heldWhy.map((text) => el("li", { text })),
      ),
    );
  }
  lines.push(el("p", { class: "note", text: row.applied }));
  const shown = lines.map((line) => line.textContent).join("\n");
  if (place.dataset["shown"] === shown) return;
  place.dataset["shown"] = shown;
  place.replaceChildren(...lines);
}

const sinceWords = (ms: number): string =>
  `Values, decisions and writes are remembered since ${timeText(ms)}, when the classifier that works the host off took it.`;

function showPlots(): void {
  if (guest === undefined) return;
  const note = byId("plots-note");
  const { isFollowed, knownSinceMs } = guest;
  if (!isFollowed) setText(note, "Values over time are not kept on this classifier (consoleGuests is 0).");
  else if (knownSinceMs !== null) setText(note, `${NOTE} ${sinceWords(knownSinceMs)}`);
  const bucketMs = range === "fine" ? Math.max(1000, guest.periodMs) : 60_000;
  plots.show(guest, rowsOf<PointRow>(model, range), bucketMs, clock());
}
