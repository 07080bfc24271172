/** A table with a row a key: sorted and filtered by people, and touched only where a cell's text changed. */
import { arrange, el, setAttribute, setHidden, setText } from "./dom.ts";

export interface Column<R> {
  /** Also its class, for widths and for what a phone leaves out. */
  id: string;
  title: string;
  /** What it is, for who points at it or hears it. */
  hint?: string;
  isNumber?: boolean;
  text: (row: R, key: string) => string;
  sortBy: (row: R, key: string) => string | number;
  /** Fills the cell where text is not enough. Called only when `text` changed. */
  fill?: (cell: HTMLElement, row: R, key: string) => void;
}

export interface TableOptions<R> {
  caption: string;
  columns: readonly Column<R>[];
  /** Column to begin with. */
  sortedBy: string;
  isDescending?: boolean;
  /** Said where there is no row at all. */
  empty: string;
}

interface Shown<R> {
  element: HTMLTableRowElement;
  row: R;
  texts: string[];
}

/** Rows are put into order at most this often while figures change: a list that jumps cannot be read. */
const REORDER_MS = 3000;

export class KeyedTable<R> {
  readonly element: HTMLElement;
  readonly #options: TableOptions<R>;
  readonly #body = el("tbody");
  readonly #empty: HTMLElement;
  readonly #heads = new Map<string, HTMLTableCellElement>();
  readonly #rows = new Map<string, Shown<R>>();
  #sortedBy: string;
  #isDescending: boolean;
  #isShown: (row: R) => boolean = () => true;
  #orderedAtMs = 0;

  constructor(options: TableOptions<R>) {
    this.#options = options;
    this.#sortedBy = options.sortedBy;
    this.#isDescending = options.isDescending ?? false;
    const head = el(
      "tr",
      {},
      options.columns.map((column) => this.#head(column)),
    );
    const table = el("table", {}, [
      el("caption", { class: "unseen", text: options.caption }),
      el("thead", {}, [head]),
      this.#body,
    ]);
    this.#empty = el("p", { class: "note", text: options.empty });
    this.element = el("div", {}, [table, this.#empty]);
    this.#showOrder();
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Rows that the filter lets through. */
  get shown(): number {
    let count = 0;
    for (const { row } of this.#rows.values()) count += Number(this.#isShown(row));
    return count;
  }

  /** @param changed keys of rows that may have changed; undefined: all */
  update(rows: Readonly<Record<string, R>>, changed?: Iterable<string>): void {
    let isNew = false;
    for (const [key, shown] of this.#rows) {
      if (Object.hasOwn(rows, key)) continue;
      shown.element.remove();
      this.#rows.delete(key);
    }
    for (const key of changed ?? Object.keys(rows)) {
      const row = rows[key];
      if (row === undefined) continue;
      isNew ||= !this.#rows.has(key);
      this.#updateRow(key, row);
    }
    setHidden(this.#empty, this.#rows.size > 0);
    if (isNew || this.#mayReorder()) this.#order();
  }

  filter(isShown: (row: R) => boolean): void {
    this.#isShown = isShown;
    for (const { element, row } of this.#rows.values()) setHidden(element, !isShown(row));
  }

  #updateRow(key: string, row: R): void {
    let shown = this.#rows.get(key);
    if (shown === undefined) {
      const cells = this.#options.columns.map(({ id, isNumber }, i) => {
        const names = `${id}${isNumber === true ? " number" : ""}`;
        return i === 0 ? el("th", { scope: "row", class: names }) : el("td", { class: names });
      });
      shown = { element: el("tr", { "data-key": key }, cells), row, texts: [] };
      this.#rows.set(key, shown);
    }
    shown.row = row;
    for (const [i, column] of this.#options.columns.entries()) {
      const text = column.text(row, key);
      if (shown.texts[i] === text) continue;
      shown.texts[i] = text;
      const cell = shown.element.children[i];
      if (!(cell instanceof HTMLElement)) continue;
      if (column.fill === undefined) writeText(cell, text);
      else column.fill(cell, row, key);
    }
    setHidden(shown.element, !this.#isShown(row));
  }

  #head(column: Column<R>): HTMLTableCellElement {
    const button = el(
      "button",
      { type: "button", ...(column.hint !== undefined && { title: column.hint }) },
      [column.title, el("span", { class: "arrow", "aria-hidden": "true" })],
    );
    button.addEventListener("click", () => {
      this.#isDescending = this.#sortedBy === column.id ? !this.#isDescending : column.isNumber === true;
      this.#sortedBy = column.id;
      this.#showOrder();
      this.#order();
    });
    const names = `${column.id}${column.isNumber === true ? " number" : ""}`;
    const head = el("th", { scope: "col", class: names }, [button]);
    this.#heads.set(column.id, head);
    return head;
  }

  #showOrder(): void {
    for (const [id, head] of this.#heads) {
      const isSorted = id === this.#sortedBy;
      setAttribute(head, "aria-sort", !isSorted ? "none" : this.#isDescending ? "descending" : "ascending");
      const arrow = head.querySelector(".arrow");
      if (arrow !== null) setText(arrow, !isSorted ? "" : this.#isDescending ? " ▼" : " ▲");
    }
  }

  /** Not while somebody is in the table by keyboard or mouse: the row would be taken away from under them. */
  #mayReorder(): boolean {
    if (performance.now() - this.#orderedAtMs < REORDER_MS) return false;
    return !this.#body.contains(document.activeElement) && !this.#body.matches(":hover");
  }

  #order(): void {
    this.#orderedAtMs = performance.now();
    const column = this.#options.columns.find(({ id }) => id === this.#sortedBy);
    if (column === undefined) return;
    const sign = this.#isDescending ? -1 : 1;
    const keyed = [...this.#rows].map(([key, { element, row }]) => ({
      key,
      element,
      by: column.sortBy(row, key),
    }));
    keyed.sort((a, b) => sign * compare(a.by, b.by) || compare(a.key, b.key));
    arrange(
      this.#body,
      keyed.map(({ element }) => element),
    );
  }
}

/** Into the text node that is there: no node is made anew for a figure. */
function writeText(cell: HTMLElement, text: string): void {
  if (cell.firstChild instanceof Text && cell.childNodes.length === 1) cell.firstChild.data = text;
  else cell.textContent = text;
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === "string" && typeof b === "string")
    return a.localeCompare(b, "en", { numeric: true, sensitivity: "base" });
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A field to filter by a part of the text, and what came of it. */
export function filterField(label: string, changed: (wanted: string) => void): HTMLElement {
  const input = el("input", {
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "part of a name",
  });
  input.addEventListener("input", () => changed(input.value.trim().toLowerCase()));
  return el("label", { class: "field" }, [`${label} `, input]);
}

/** One choice of several. */
export function choice<T extends string>(
  label: string,
  name: string,
  options: readonly (readonly [value: T, text: string])[],
  changed: (value: T) => void,
): HTMLElement {
  const items = options.map(([value, text], i) => {
    const input = el("input", { type: "radio", name, value, ...(i === 0 && { checked: "" }) });
    input.addEventListener("change", () => changed(value));
    return el("label", {}, [input, el("span", { text })]);
  });
  return el("fieldset", { class: "choice" }, [el("legend", { class: "unseen", text: label }), ...items]);
}
