/** The map of a host's CPUs: package, NUMA node, last-level cache, core, thread; and who runs where. */
import type { CpuRow } from "../model/model.ts";
import { el, isolated } from "./dom.ts";
import { plural } from "./figures.ts";
import { KeyedTable } from "./table.ts";

type Cpus = Readonly<Record<string, CpuRow>>;

const SIGNS = { scientific: "◆", shared: "■", isolated: "▨", offline: "×" } as const;
/** More CPUs than this have small cells, without names. */
const LARGE_MAX = 64;

/** Who is on a CPU, in words. */
export function whoText(row: CpuRow): string {
  if (row.role === "offline") return "offline";
  const others = row.mayRun > 0 ? `${plural(row.mayRun, "guest")} may run here` : "no guest runs here";
  const pinned = row.pinned.length === 0 ? "" : `; pinned: ${row.pinned.join(", ")}`;
  if (row.role === "isolated") return `isolated${row.mayRun > 0 ? `, ${others}` : ""}${pinned}`;
  if (row.role === "shared") return `${others}${pinned}`;
  const also = row.mayRun > 0 ? `; ${plural(row.mayRun, "other guest")} may run here too` : "";
  return `${row.guestName}, vCPU ${row.vcpu}, alone${also}`;
}

export class CpuMap {
  readonly #element: HTMLElement;
  readonly #host: string;
  readonly #cells = new Map<string, { element: HTMLElement; shown: string }>();
  #structure = "";

  constructor(element: HTMLElement, host: string) {
    this.#element = element;
    this.#host = host;
  }

  show(cpus: Cpus): void {
    const keys = Object.keys(cpus).sort((a, b) => Number(a) - Number(b));
    const structure = keys
      .map((cpu) => [cpu, cpus[cpu]?.package, cpus[cpu]?.node, cpus[cpu]?.llc, cpus[cpu]?.core].join())
      .join(" ");
    if (structure !== this.#structure) this.#build(keys, cpus);
    this.#structure = structure;
    for (const cpu of keys) {
      const row = cpus[cpu];
      const cell = this.#cells.get(cpu);
      if (row === undefined || cell === undefined) continue;
      const shown = `${row.role} ${row.guest} ${whoText(row)}`;
      if (cell.shown === shown) continue;
      cell.shown = shown;
      this.#fill(cell.element, cpu, row);
    }
  }

  #build(keys: readonly string[], cpus: Cpus): void {
    this.#cells.clear();
    this.#element.classList.toggle("is-small", keys.length > LARGE_MAX);
    const online = keys.filter((cpu) => cpus[cpu]?.role !== "offline");
    const of = (pick: (row: CpuRow) => number) => (cpu: string) => {
      const row = cpus[cpu];
      return row === undefined ? -1 : pick(row);
    };
    const byPackage = groups(
      online,
      of((row) => row.package),
    );
    const packages = byPackage.map(([id, own]) => {
      const nodes = groups(
        own,
        of((row) => row.node),
      );
      const title = [`Package ${Math.max(0, id)}`];
      // A level that does not divide the one above stands on its line.
      if (nodes.length === 1) title.push(`NUMA node ${nodes[0]?.[0] ?? 0}`);
      if (
        groups(
          own,
          of((row) => row.llc),
        ).length === 1
      )
        title.push("one L3 cache");
      const parts = nodes.map(([node, inNode]) =>
        this.#node(nodes.length > 1 ? node : undefined, inNode, of),
      );
      return el("div", { class: "package" }, [box(title.join(" · ")), el("div", { class: "nodes" }, parts)]);
    });
    const offline = keys.filter((cpu) => cpus[cpu]?.role === "offline");
    if (offline.length > 0) {
      const cells = offline.map((cpu) => this.#cell(cpu));
      packages.push(el("div", { class: "package" }, [box("Offline"), el("ul", { class: "core" }, cells)]));
    }
    this.#element.replaceChildren(...packages);
  }

  /** @param node its number, where the package has several */
  #node(
    node: number | undefined,
    cpus: readonly string[],
    of: (pick: (row: CpuRow) => number) => (cpu: string) => number,
  ): HTMLElement {
    const caches = groups(
      cpus,
      of((row) => row.llc),
    );
    const parts = caches.map(([llc, inCache]) => {
      const cores = groups(
        inCache,
        of((row) => row.core),
      ).map(([, threads]) =>
        el(
          "ul",
          { class: "core" },
          threads.map((cpu) => this.#cell(cpu)),
        ),
      );
      const title = caches.length > 1 ? [box(`L3 cache of CPU ${llc}`)] : [];
      return el("div", { class: "cache" }, [...title, el("div", { class: "cores" }, cores)]);
    });
    const oneCache = caches.length === 1 ? " · one L3 cache" : "";
    const title = node === undefined ? [] : [box(`NUMA node ${node}${oneCache}`)];
    return el("div", { class: "node" }, [...title, el("div", { class: "caches" }, parts)]);
  }

  #cell(cpu: string): HTMLElement {
    const element = el("li", { class: "cpu", "data-cpu": cpu });
    this.#cells.set(cpu, { element, shown: "" });
    return element;
  }

  #fill(element: HTMLElement, cpu: string, row: CpuRow): void {
    element.className = `cpu is-${row.role}`;
    element.title = `CPU ${cpu}: ${whoText(row)}`;
    const sign = el("span", { class: "sign", "aria-hidden": "true", text: SIGNS[row.role] });
    const number = el("span", { class: "number" }, [el("span", { class: "unseen", text: "CPU " }), cpu]);
    element.replaceChildren(number, sign, this.#who(row));
  }

  #who(row: CpuRow): HTMLElement {
    if (row.role !== "scientific")
      return el("span", {
        class: "who",
        text: row.role === "shared" ? plural(row.mayRun, "guest") : row.role,
      });
    const href = `/console/host/${this.#host}/guest/${row.guest}`;
    return el("a", { class: "who", href }, [
      isolated(row.guestName),
      el("span", { class: "vcpu", "aria-hidden": "true", text: ` ·${row.vcpu}` }),
      el("span", { class: "unseen", text: `, vCPU ${row.vcpu}, alone` }),
    ]);
  }
}

function box(text: string): HTMLElement {
  return el("p", { class: "box", text });
}

/** In the order in which they first come. */
function groups(keys: readonly string[], pick: (cpu: string) => number): [number, string[]][] {
  const found = new Map<number, string[]>();
  for (const key of keys) {
    const id = pick(key);
    const group = found.get(id);
    if (group === undefined) found.set(id, [key]);
    else group.push(key);
  }
  return [...found].sort(([a], [b]) => a - b);
}

/** The same as a table. */
export function cpuTable(): KeyedTable<CpuRow> {
  const number = (id: "package" | "node" | "llc" | "core", title: string) => ({
    id,
    title,
    isNumber: true,
    text: (row: CpuRow) => (row[id] < 0 ? "–" : String(row[id])),
    sortBy: (row: CpuRow) => row[id],
  });
  return new KeyedTable<CpuRow>({
    caption: "CPUs: where they lie and who runs there",
    sortedBy: "cpu",
    empty: "No CPU is known.",
    columns: [
      {
        id: "cpu",
        title: "CPU",
        isNumber: true,
        text: (_row, key) => key,
        sortBy: (_row, key) => Number(key),
      },
      number("package", "Package"),
      number("node", "NUMA node"),
      number("llc", "L3 of CPU"),
      number("core", "Core of CPU"),
      { id: "role", title: "Role", text: (row) => row.role, sortBy: (row) => row.role },
      { id: "who", title: "Who", text: whoText, sortBy: whoText },
    ],
  });
}
