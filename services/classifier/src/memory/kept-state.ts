/**
 * The state of a host between two ticks, in little: what a guest's plan says too is not kept twice, and what changes at every tick
 * is figures that are written over. Ten thousand hosts are half a million guests, of each of which a new object a tick
 * would live just long enough to be dear to collect.
 */
import type { DeclaredClass, GuestPlan, GuestState, HostState, Plan } from "@kvm-governor/policy";

const DECLARED = ["auto", "service", "scientific", "exempt"] as const satisfies DeclaredClass[];

type Head = Omit<HostState, "guests" | "plan">;

export class KeptState {
  #head: Head | undefined;
  #plan: Plan | undefined;
  /** Last usage by place in the plan; NaN: the guest is among `#others`, or not known. */
  #usage = new Float64Array(0);
  /** Declared class by place in the plan, as a place in `DECLARED`. */
  #declared = new Uint8Array(0);
  /** Guests of which their plan does not tell the rest, by UUID. */
  #others: ReadonlyMap<string, GuestState> = NOBODY;

  /** Keeps this state, or that there is none, in place of the one before. */
  take(state: HostState | undefined): void {
    if (state === undefined) {
      this.#head = undefined;
      return;
    }
    const { guests, plan, ...head } = state;
    const plans = plan?.guests ?? [];
    if (this.#usage.length !== plans.length) {
      this.#usage = new Float64Array(plans.length);
      this.#declared = new Uint8Array(plans.length);
    }
    this.#head = head;
    this.#plan = plan;
    let told = 0;
    for (const [at, each] of plans.entries()) {
      const guest = guests[each.uuid];
      const isTold = guest !== undefined && isToldBy(each, guest);
      this.#usage[at] = isTold ? guest.usage : NaN;
      this.#declared[at] = isTold ? DECLARED.indexOf(guest.declared) : 0;
      if (isTold) told += 1;
    }
    const uuids = Object.keys(guests);
    this.#others = uuids.length === told ? NOBODY : this.#untold(guests, plans);
  }

  /** As it was taken, as a copy; undefined where none was. */
  read(): HostState | undefined {
    if (this.#head === undefined) return undefined;
    const guests: HostState["guests"] = {};
    for (const [at, { uuid, name, class: list, count, since }] of (this.#plan?.guests ?? []).entries()) {
      const usage = this.#usage[at] ?? NaN;
      const declared = DECLARED[this.#declared[at] ?? 0] ?? "auto";
      const guest = Number.isNaN(usage)
        ? this.#others.get(uuid)
        : { name, class: list, count, since, declared, usage };
      if (guest !== undefined) guests[uuid] = guest;
    }
    for (const [uuid, guest] of this.#others) guests[uuid] ??= guest;
    return { ...this.#head, guests, ...(this.#plan !== undefined && { plan: this.#plan }) };
  }

  #untold(guests: HostState["guests"], plans: readonly GuestPlan[]): ReadonlyMap<string, GuestState> {
    const told = new Set(plans.filter((_, at) => !Number.isNaN(this.#usage[at])).map(({ uuid }) => uuid));
    return new Map(Object.entries(guests).filter(([uuid]) => !told.has(uuid)));
  }
}

const NOBODY: ReadonlyMap<string, GuestState> = new Map();

/** Whether what is not kept of a guest can be read from its plan. */
function isToldBy(plan: GuestPlan, guest: GuestState): boolean {
  return (
    plan.count === guest.count &&
    plan.since === guest.since &&
    plan.class === guest.class &&
    plan.name === guest.name &&
    guest.delay === undefined &&
    guest.starvedUs === undefined
  );
}
