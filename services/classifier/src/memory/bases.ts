/** What the next decision on each host starts from, in little between two ticks. */
import type { HostState } from "@kvm-governor/policy";
import type { PlanPlace } from "../published-plans.ts";
import type { StoredHost } from "../store/store.ts";
import { KeptState } from "./kept-state.ts";

export interface Base {
  stored: StoredHost;
  previous: HostState | undefined;
  /** When the bus took the sample of `previous`, by its clock; undefined: not known. */
  heardAtMs: number | undefined;
  /** The plan that is published. */
  place: PlanPlace;
}

interface Kept {
  /** All but its state. */
  stored: StoredHost;
  /** Undefined: what is stored is what was decided last, as nearly always. */
  otherState: { state: HostState | undefined } | undefined;
  previous: KeptState;
  heardAtMs: number | undefined;
  place: PlanPlace;
}

export class Bases {
  readonly #kept = new Map<string, Kept>();

  hosts(): IterableIterator<string> {
    return this.#kept.keys();
  }

  /** A copy: what is changed in it is not kept. */
  get(host: string): Base | undefined {
    const kept = this.#kept.get(host);
    if (kept === undefined) return undefined;
    const { stored, otherState, heardAtMs, place } = kept;
    const previous = kept.previous.read();
    const state = otherState === undefined ? previous : otherState.state;
    return { stored: { ...stored, state }, previous, heardAtMs, place };
  }

  set(host: string, { stored, previous, heardAtMs, place }: Base): void {
    const known = this.#kept.get(host)?.previous ?? new KeptState();
    known.take(previous);
    const otherState = stored.state === previous ? undefined : { state: stored.state };
    this.#kept.set(host, {
      stored: { ...stored, state: undefined },
      otherState,
      previous: known,
      heardAtMs,
      place,
    });
  }

  /** The plan of a host that is kept was published; of others nothing is remembered. */
  published(host: string, place: PlanPlace): void {
    const kept = this.#kept.get(host);
    if (kept !== undefined) kept.place = place;
  }

  delete(host: string): void {
    this.#kept.delete(host);
  }
}
