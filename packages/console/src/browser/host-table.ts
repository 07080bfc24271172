/** The guests of a host as a table. */
import type { GuestRow } from "../model/model.ts";
import { classBadge, el, isolated } from "./dom.ts";
import { cores, orDash, percent, wholeNumber } from "./figures.ts";
import { KeyedTable } from "./table.ts";
import type { Column } from "./table.ts";

const CLASS_ORDER = { scientific: 0, service: 1, exempt: 2 } as const;

export function guestTable(host: string): KeyedTable<GuestRow> {
  return new KeyedTable<GuestRow>({
    caption: "Guests of this host with list, use, demand, delay, quota and CPUs",
    sortedBy: "class",
    empty: "No guest is known on this host.",
    columns: [
      {
        id: "name",
        title: "Guest",
        text: (row) => row.name,
        sortBy: (row) => row.name,
        fill: (cell, row, key) =>
          cell.replaceChildren(
            el("a", { href: `/console/host/${host}/guest/${key}`, title: `${row.name}\nUUID ${key}` }, [
              isolated(row.name),
            ]),
          ),
      },
      {
        id: "class",
        title: "List",
        hint: "service: LIST_se, scientific: LIST_sc, exempt: left alone",
        text: (row) => `${row.class} ${row.how}`,
        sortBy: (row) => `${CLASS_ORDER[row.class]} ${row.name}`,
        fill: (cell, row) =>
          cell.replaceChildren(classBadge(row.class), el("span", { class: "how", text: ` ${row.how}` })),
      },
      {
        id: "vcpus",
        title: "vCPUs",
        isNumber: true,
        text: (row) => String(row.vcpus),
        sortBy: (row) => row.vcpus,
      },
      part("usage", "Used", "Part of the time that its vCPUs ran", (row) => row.usage),
      part(
        "demand",
        "Wanted",
        "What it would have used: what it ran, and all of a vCPU that was held back",
        (row) => row.demand,
      ),
      part(
        "delay",
        "Waited",
        "Part of the time that its vCPUs were ready and did not run",
        (row) => row.delay,
      ),
      {
        id: "switches",
        title: "Switches/s",
        hint: "Context switches of its vCPUs in a second",
        isNumber: true,
        text: (row) => orDash(row.switches, wholeNumber),
        sortBy: (row) => row.switches ?? -1,
      },
      {
        id: "crossings",
        title: "Count",
        hint: "Crossing count: more than beta move it to the other list",
        isNumber: true,
        text: (row) => (row.class === "exempt" ? "–" : String(row.count)),
        sortBy: (row) => row.count,
      },
      coresColumn("may", "May have", "Cores that it may use now", (row) => row.mayCores),
      coresColumn("sla", "SLA", "Cores that it is promised", (row) => row.slaCores),
      {
        id: "quota",
        title: "Quota",
        hint: "Cores that a quota holds it to, all vCPUs together",
        text: (row) => row.quota || "–",
        sortBy: (row) => (Number.isNaN(Number(row.quota)) ? row.quota : Number(row.quota)),
      },
      {
        id: "weight",
        title: "Weight",
        hint: "idle: below every service",
        text: (row) => row.weight || "–",
        sortBy: (row) => row.weight,
      },
      { id: "cpus", title: "On CPUs", text: (row) => row.cpus, sortBy: (row) => row.cpus },
      { id: "remark", title: "Remark", text: (row) => row.note, sortBy: (row) => row.note },
    ],
  });
}

/** A part of its vCPUs: the figure, and a bar behind it. */
function part(id: string, title: string, hint: string, pick: (row: GuestRow) => number): Column<GuestRow> {
  return {
    id,
    title,
    hint,
    isNumber: true,
    text: (row) => (row.readable ? percent(pick(row)) : "–"),
    sortBy: pick,
    fill: (cell, row) => {
      const text = row.readable ? percent(pick(row)) : "–";
      cell.style.setProperty("--part", row.readable ? percent(Math.min(1, pick(row))) : "0%");
      if (cell.firstChild instanceof Text) cell.firstChild.data = text;
      else cell.textContent = text;
    },
  };
}

function coresColumn(
  id: string,
  title: string,
  hint: string,
  pick: (row: GuestRow) => number | null,
): Column<GuestRow> {
  return {
    id,
    title,
    hint,
    isNumber: true,
    text: (row) => orDash(pick(row), cores),
    sortBy: (row) => pick(row) ?? -1,
  };
}
