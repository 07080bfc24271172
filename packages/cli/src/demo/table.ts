/** The live table: what each guest is, uses and is held to. */
import type { ArmTick } from "./arm.ts";
import type { GuestReading } from "./kernel-meter.ts";
import type { HeldView } from "./held-view.ts";
import type { Actor } from "./stage.ts";

/** One guest over the last second. Rates are null at the first look. */
export interface Row extends HeldView {
  name: string;
  /** `service`, `scientific`, or `-` without a manager. */
  list: string;
  vcpus: number;
  /** CPU used, in cores. */
  cores: number | null;
  switchesPerSecond: number | null;
  /** Pieces of work that all its vCPUs did together. */
  roundsPerSecond: number | null;
}

interface Seen {
  reading: GuestReading;
  rounds: number;
}

/** Makes rates of one look and the look before. */
export class RowMaker {
  readonly #actors: readonly Actor[];
  readonly #held: ReadonlyMap<string, () => HeldView>;
  #before = new Map<string, Seen>();

  constructor(actors: readonly Actor[], held: ReadonlyMap<string, () => HeldView>) {
    this.#actors = actors;
    this.#held = held;
  }

  rows(tick: ArmTick): Row[] {
    const now = new Map<string, Seen>();
    const rows = this.#actors.map((actor) => {
      const reading = tick.reading.guests.get(actor.name);
      const seen = reading && { reading, rounds: tick.rounds.get(actor.name) ?? 0 };
      if (seen !== undefined) now.set(actor.name, seen);
      return {
        name: actor.name,
        list: listOf(actor, tick.scientific),
        vcpus: actor.vcpus,
        ...rates(this.#before.get(actor.name), seen),
        ...(this.#held.get(actor.name)?.() ?? { quota: "?", weight: "?", cpus: "?" }),
      };
    });
    this.#before = now;
    return rows;
  }
}

function listOf(actor: Actor, scientific: ReadonlySet<string> | undefined): string {
  if (scientific === undefined) return "-";
  return scientific.has(actor.guest.uuid) ? "scientific" : "service";
}

type Rates = Pick<Row, "cores" | "switchesPerSecond" | "roundsPerSecond">;

function rates(before: Seen | undefined, now: Seen | undefined): Rates {
  if (before === undefined || now === undefined) {
    return { cores: null, switchesPerSecond: null, roundsPerSecond: null };
  }
  const ms = now.reading.atMs - before.reading.atMs;
  return {
    cores: (now.reading.runNs - before.reading.runNs) / 1e6 / ms,
    switchesPerSecond: ((now.reading.switches - before.reading.switches) / ms) * 1000,
    roundsPerSecond: ((now.rounds - before.rounds) / ms) * 1000,
  };
}

interface Column {
  title: string;
  width: number;
  left?: boolean;
  cell: (row: Row) => string;
}

const figure = (value: number | null, digits: number): string =>
  value === null ? "" : value.toFixed(digits);

const columns: readonly Column[] = [
  { title: "guest", width: 12, left: true, cell: (row) => row.name },
  { title: "class", width: 11, left: true, cell: (row) => row.list },
  {
    title: "CPU used",
    width: 11,
    cell: (row) => (row.cores === null ? "" : `${figure(row.cores, 2)} of ${row.vcpus}`),
  },
  { title: "quota", width: 10, cell: (row) => row.quota },
  { title: "weight", width: 7, cell: (row) => row.weight },
  { title: "CPUs", width: 7, cell: (row) => row.cpus },
  { title: "switches/s", width: 11, cell: (row) => figure(row.switchesPerSecond, 0) },
  { title: "rounds/s", width: 9, cell: (row) => figure(row.roundsPerSecond, 0) },
];

export function tableLines(title: string, rows: readonly Row[]): string[] {
  const line = (cellOf: (column: Column) => string): string =>
    columns
      .map((column) =>
        column.left === true ? cellOf(column).padEnd(column.width) : cellOf(column).padStart(column.width),
      )
      .join(" ")
      .trimEnd();
  return [
    "",
    title,
    line((column) => column.title),
    ...rows.map((row) => line((column) => column.cell(row))),
  ];
}

/** The same in one line, for output that cannot be drawn in place. */
export function tableInOneLine(title: string, rows: readonly Row[]): string {
  const guests = rows.map((row) => {
    const held = `${row.quota === "-" ? "" : `, quota ${row.quota}`}${row.weight === "idle" ? ", below services" : ""}`;
    const list = row.list === "-" ? "" : ` [${row.list}]`;
    return `${row.name}${list} ${figure(row.cores, 2)} cores${held}, ${figure(row.switchesPerSecond, 0)} switches/s`;
  });
  return `${title}: ${guests.join(" | ")}`;
}
