/** States of a host for tests of stores: some by hand, any by fast-check. */
import fc from "fast-check";
import type { GuestState, HostState } from "@kvm-governor/policy";
import { BOOT, OTHER_BOOT, uuidOf } from "./samples.ts";

/** A name that breaks whatever joins names by separators, or prints them on lines. */
export const NASTY_NAME = 'a:b,c="d"\n';

export function guestState(rest: Partial<GuestState> = {}): GuestState {
  return { name: "g", class: "service", count: 0, since: 1, declared: "auto", usage: 0, ...rest };
}

export function hostState(
  sequence: number,
  guests: HostState["guests"],
  rest: Partial<HostState> = {},
): HostState {
  return { bootId: BOOT, sequence, wallTimeMs: sequence, generation: 1, guests, ...rest };
}

/** Any text that survives UTF-8 (a lone surrogate does not). */
const name = fc.oneof(
  fc.constant(NASTY_NAME),
  fc.string({ unit: "binary", minLength: 1, maxLength: 20 }).map((text) => text.toWellFormed()),
);

const anyDelay: fc.Arbitrary<NonNullable<GuestState["delay"]>> = fc
  .record({
    rung: fc.nat(10),
    calm: fc.nat(1600),
    debt: fc.nat(200),
    patience: fc.integer({ min: 1, max: 1600 }),
    failed: fc.option(fc.nat(10)),
  })
  .map(({ failed, ...rest }) => (failed === null ? rest : { ...rest, failed }));

const anyGuest: fc.Arbitrary<GuestState> = fc.record(
  {
    name,
    class: fc.constantFrom("service", "scientific"),
    count: fc.nat(),
    since: fc.maxSafeNat(),
    declared: fc.constantFrom("auto", "service", "scientific", "exempt"),
    usage: fc.double({ min: 0, max: 2, noNaN: true }).map((usage) => usage + 0),
    delay: anyDelay,
  },
  { requiredKeys: ["name", "class", "count", "since", "declared", "usage"], noNullPrototype: true },
);

/** Few UUIDs, so that guests come, go and come back. */
const anyGuests = fc.dictionary(fc.nat(5).map(uuidOf), anyGuest, { maxKeys: 6, noNullPrototype: true });

const plan = (state: Omit<HostState, "plan">): NonNullable<HostState["plan"]> => ({
  schema: 1,
  host: "any",
  bootId: state.bootId,
  generation: Math.max(1, state.generation),
  sequence: state.sequence,
  expiresAtUs: state.sequence,
  preset: "default",
  guests: [],
});

export const anyState: fc.Arbitrary<HostState> = fc
  .record({
    bootId: fc.constantFrom(BOOT, OTHER_BOOT),
    sequence: fc.maxSafeNat(),
    wallTimeMs: fc.maxSafeNat(),
    generation: fc.nat(),
    guests: anyGuests,
    hasPlan: fc.boolean(),
  })
  .map(({ hasPlan, ...state }) => (hasPlan ? { ...state, plan: plan(state) } : state));
