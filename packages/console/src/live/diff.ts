/** What changed between two models: only that is sent. */
import type { Cell, Model, Patch, Row, Section } from "../model/model.ts";

/** @returns undefined where nothing changed */
export function diff(before: Model, after: Model): Patch | undefined {
  const patch: Patch = { set: {}, gone: {} };
  for (const [name, section] of Object.entries(after)) diffSection(name, before[name] ?? {}, section, patch);
  return Object.keys(patch.set).length + Object.keys(patch.gone).length === 0 ? undefined : patch;
}

function diffSection(name: string, before: Section, after: Section, patch: Patch): void {
  const set: Record<string, Record<string, Cell>> = {};
  for (const key of Object.keys(after)) {
    const cells = diffRow(own(before, key), after[key] ?? {});
    if (cells !== undefined) set[key] = cells;
  }
  const gone = Object.keys(before).filter((key) => own(after, key) === undefined);
  if (Object.keys(set).length > 0) patch.set[name] = set;
  if (gone.length > 0) patch.gone[name] = gone;
}

function diffRow(before: Row | undefined, after: Row): Record<string, Cell> | undefined {
  if (before === undefined) return after;
  let cells: Record<string, Cell> | undefined;
  for (const [name, cell] of Object.entries(after))
    if (!isSame(before[name] ?? null, cell)) (cells ??= {})[name] = cell;
  return cells;
}

function isSame(a: Cell, b: Cell): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

/** Keys are UUIDs and host ids: none of them is a property that every object has. */
function own(section: Section, key: string): Row | undefined {
  return Object.hasOwn(section, key) ? section[key] : undefined;
}
