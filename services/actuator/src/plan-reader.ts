/**
 * Reads plans. A host gets one each check period, and most of it is what it was the last time: what has been checked is not checked
 * again, which is a third of a tick that changes nothing (measured, 200 guests).
 */
import {
  checkContract,
  guestPlanSchema,
  parseJson,
  publishedPlanSchema,
  type GuestPlan,
  type PublishedPlan,
} from "@kvm-governor/policy";

type Fields = Record<string, unknown>;

interface Checked {
  /** As it came. */
  raw: Fields;
  plan: GuestPlan;
}

const WHAT = "plan";
const headSchema = publishedPlanSchema.omit({ guests: true });
const GUEST_FIELDS = Object.entries(guestPlanSchema.shape);

export class PlanReader {
  /** Guests of the last good plan, by UUID. */
  #checked = new Map<unknown, Checked>();

  /**
   * Gives what `parseContract(publishedPlanSchema, data, "plan")` gives.
   * @throws {ContractError} naming the first field that is wrong
   */
  read(data: Uint8Array): PublishedPlan {
    const raw = parseJson(data, WHAT);
    return this.#readKnown(raw) ?? this.#keep(raw, checkContract(publishedPlanSchema, raw, WHAT));
  }

  /** @returns undefined where something is new, or not as it should be: the whole check then says what */
  #readKnown(raw: unknown): PublishedPlan | undefined {
    if (!isFields(raw) || !Array.isArray(raw["guests"]) || raw["guests"].length !== this.#checked.size)
      return undefined;
    const head = headSchema.safeParse(raw);
    if (!head.success) return undefined;
    const guests = new Map<unknown, Checked>();
    for (const guest of raw["guests"] as unknown[]) {
      const known = isFields(guest) ? this.#checked.get(guest["uuid"]) : undefined;
      const plan = known && changed(known, guest as Fields);
      if (plan === undefined) return undefined;
      guests.set(plan.uuid, { raw: guest as Fields, plan });
    }
    // Named twice: the map has fewer.
    if (guests.size !== this.#checked.size) return undefined;
    this.#checked = guests;
    return { ...head.data, guests: [...guests.values()].map(({ plan }) => plan) };
  }

  #keep(raw: unknown, plan: PublishedPlan): PublishedPlan {
    const raws = (raw as { guests: Fields[] }).guests;
    this.#checked = new Map(
      plan.guests.map((guest, at) => [guest.uuid, { raw: raws[at] as Fields, plan: guest }]),
    );
    return plan;
  }
}

/** The guest's plan with the fields that are new; the same object where none is. @returns undefined where one is wrong */
function changed({ raw, plan }: Checked, now: Fields): GuestPlan | undefined {
  let next: Fields | undefined;
  for (const [name, schema] of GUEST_FIELDS) {
    if (isSameJson(raw[name], now[name])) continue;
    const field = schema.safeParse(now[name]);
    if (!field.success) return undefined;
    next ??= { ...plan };
    if (field.data === undefined) delete next[name];
    else next[name] = field.data;
  }
  return next === undefined ? plan : (next as GuestPlan);
}

/** For values as JSON.parse gives them: lists and objects of their own properties only. */
function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!isFields(a) || !isFields(b)) return false;
  if (Array.isArray(a)) return Array.isArray(b) && isSameList(a, b);
  if (Array.isArray(b)) return false;
  let names = 0;
  for (const name in a) {
    if (!isSameJson(a[name], b[name])) return false;
    names++;
  }
  for (const _name in b) names--;
  return names === 0;
}

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (!isSameJson(a[at], b[at])) return false;
  return true;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}
