/**
 * Guests with the labels that their series carry, formatted once: most of a scrape would be spent on it otherwise. Kept as rows that all
 * families of a page go through, not in weak maps: those are looked up for each series, and slow down every collection of garbage.
 */
import type { Guest, SwitchSource } from "@kvm-governor/linux";
import { labelText, type LabelText } from "@kvm-governor/service-kit";

interface Amount {
  readonly value: number;
}

/** What a page shows of a vCPU; times in nanoseconds. */
export interface VcpuFigures {
  readonly index: number;
  readonly runNs: Amount;
  readonly delayNs: Amount;
  readonly switches: Amount;
  readonly hasMigrations: boolean;
  readonly migrations: Amount;
  readonly voluntary: Amount;
  readonly involuntary: Amount;
  readonly hasThrottling: boolean;
  readonly periods: Amount;
  readonly throttledPeriods: Amount;
  readonly throttledNs: Amount;
}

/** What a page shows of a guest. */
export interface GuestFigures {
  readonly guest: Guest;
  readonly vcpus: { readonly length: number };
  /** Only ever grows. */
  readonly allVcpus: Iterable<VcpuFigures>;
  readonly emulator: { readonly runNs: Amount };
  readonly ioThreads: ReadonlyMap<number, { readonly runNs: Amount }>;
  readonly switchSource: SwitchSource;
}

export const CLASSES = ["auto", "service", "scientific", "exempt"] as const;
export const STATES = ["running", "paused", "migrating", "unknown"] as const;

export interface VcpuRow {
  figures: VcpuFigures;
  labels: LabelText;
}

export interface GuestRow {
  figures: GuestFigures;
  /** The record that the labels were made of: a guest can be renamed. */
  guest: Guest;
  uuid: LabelText;
  info: LabelText;
  /** In the order of STATES. */
  states: readonly LabelText[];
  /** In the order of CLASSES. */
  classes: readonly LabelText[];
  vcpus: readonly VcpuRow[];
}

export class GuestRows {
  #guests: readonly GuestFigures[] | undefined;
  #rows: readonly GuestRow[] = [];
  #byFigures = new Map<GuestFigures, GuestRow>();

  /** Rows of these guests, in their order. The same array, as long as no reading followed, gives the same rows. */
  of(guests: readonly GuestFigures[]): readonly GuestRow[] {
    if (guests === this.#guests) return this.#rows;
    this.#rows = guests.map((figures) => rowOf(figures, this.#byFigures.get(figures)));
    this.#byFigures = new Map(this.#rows.map((row) => [row.figures, row]));
    this.#guests = guests;
    return this.#rows;
  }
}

function rowOf(figures: GuestFigures, last: GuestRow | undefined): GuestRow {
  const { guest } = figures;
  const { uuid, name, source } = guest;
  const vcpus = [...figures.allVcpus];
  if (last?.guest === guest && last.vcpus.length === vcpus.length) return last;
  return {
    figures,
    guest,
    uuid: labelText({ uuid }),
    info: labelText({ uuid, name, source }),
    states: STATES.map((state) => labelText({ uuid, state })),
    classes: CLASSES.map((each) => labelText({ uuid, class: each })),
    vcpus: vcpus.map((vcpu, at) => {
      const known = last?.vcpus[at];
      if (known?.figures === vcpu) return known;
      return { figures: vcpu, labels: labelText({ uuid, vcpu: String(vcpu.index) }) };
    }),
  };
}
