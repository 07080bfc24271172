/** Decisions, vCPUs and writes of a guest. */
import type { DecisionRow, VcpuRow, WriteRow } from "../model/model.ts";
import { timeText } from "./clock.ts";
import { arrange, byId, classBadge, el } from "./dom.ts";
import { orDash, percent, wholeNumber } from "./figures.ts";
import { KeyedTable } from "./table.ts";

type Rows<R> = Readonly<Record<string, R>>;

/** Entries never change once they are made: they come, and the oldest go. */
export class Decisions {
  readonly #items = new Map<string, HTMLElement>();

  show(rows: Rows<DecisionRow>): void {
    for (const [key, item] of this.#items) {
      if (rows[key] !== undefined) continue;
      item.remove();
      this.#items.delete(key);
    }
    const newestFirst = Object.entries(rows).sort(([, a], [, b]) => b.atMs - a.atMs);
    const items = newestFirst.map(([key, row]) => {
      let item = this.#items.get(key);
      if (item === undefined) this.#items.set(key, (item = decisionItem(row)));
      return item;
    });
    if (items.length === 0 && this.#items.size === 0) items.push(this.#none());
    else this.#noneItem?.remove();
    arrange(byId("decisions"), items);
  }

  #noneItem: HTMLElement | undefined;

  #none(): HTMLElement {
    return (this.#noneItem ??= el("li", { class: "note", text: "Nothing since this classifier started." }));
  }
}

function decisionItem(row: DecisionRow): HTMLElement {
  return el("li", { class: `decision is-${row.kind}` }, [
    el("p", { class: "head" }, [
      el("time", { datetime: new Date(row.atMs).toISOString(), text: timeText(row.atMs) }),
      el("strong", { text: ` ${row.title} ` }),
      classBadge(row.class),
      el("span", { class: "plan", text: ` plan ${row.generation}` }),
    ]),
    el("p", { class: "seen", text: `Seen: ${row.seen}.` }),
    el(
      "ul",
      { class: "reasons" },
      row.reasons.map((text) => el("li", { text })),
    ),
    el("p", { class: "held", text: `Held by: ${row.held}.` }),
  ]);
}

export function vcpuTable(): KeyedTable<VcpuRow> {
  const part = (id: "run" | "delay" | "involuntaryPart" | "throttled", title: string, hint: string) => ({
    id,
    title,
    hint,
    isNumber: true,
    text: (row: VcpuRow) => orDash(row[id], percent),
    sortBy: (row: VcpuRow) => row[id] ?? -1,
  });
  return new KeyedTable<VcpuRow>({
    caption: "vCPUs in the last period",
    sortedBy: "index",
    empty: "No sample of its vCPUs.",
    columns: [
      {
        id: "index",
        title: "vCPU",
        isNumber: true,
        text: (row) => String(row.index),
        sortBy: (row) => row.index,
      },
      part("run", "Ran", "Part of the period that it ran"),
      part("delay", "Waited", "Part of the period that it was ready and did not run"),
      {
        id: "switches",
        title: "Switches/s",
        isNumber: true,
        text: (row) => orDash(row.switches, wholeNumber),
        sortBy: (row) => row.switches ?? -1,
      },
      part("involuntaryPart", "Involuntary", "Part of its switches that were involuntary"),
      part("throttled", "Throttled", "Part of the period that a quota held it back"),
      { id: "quota", title: "Quota", text: (row) => row.quota || "–", sortBy: (row) => row.quota },
      { id: "cpus", title: "On CPUs", text: (row) => row.cpus || "–", sortBy: (row) => row.cpus },
    ],
  });
}

const KINDS = {
  written: "✓ written",
  failed: "✖ failed",
  drift: "▲ drift",
  would: "○ would be written",
} as const;

export function writeTable(): KeyedTable<WriteRow> {
  return new KeyedTable<WriteRow>({
    caption: "Writes to the kernel for this guest, and what somebody else changed",
    sortedBy: "time",
    isDescending: true,
    empty: "Nothing since this classifier started.",
    columns: [
      {
        id: "time",
        title: "Time",
        text: (row) => (row.kind === "would" ? "dry run" : timeText(row.atMs)),
        sortBy: (row) => row.atMs,
      },
      { id: "kind", title: "What", text: (row) => KINDS[row.kind], sortBy: (row) => row.kind },
      { id: "target", title: "Of", text: (row) => row.target, sortBy: (row) => row.target },
      { id: "setting", title: "Setting", text: (row) => row.setting, sortBy: (row) => row.setting },
      { id: "change", title: "Change", text: (row) => row.text, sortBy: (row) => row.text },
      { id: "file", title: "File", text: (row) => row.file, sortBy: (row) => row.file },
    ],
  });
}
