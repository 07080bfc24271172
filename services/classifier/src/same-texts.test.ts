import { expect, it } from "@jest/globals";
import { decide, settingsSchema } from "@kvm-governor/policy";
import type { HostState, Sample } from "@kvm-governor/policy";
import { shareTexts } from "./same-texts.ts";
import { guestSample, sampleOf } from "./testing/samples.ts";

/** As it comes from the bus: no text is another's copy. */
const fromJson = (sample: Sample): Sample => JSON.parse(JSON.stringify(sample)) as Sample;

const exempt = { class: "exempt" } as const;

function stateAfter(sample: Sample): HostState {
  const decision = decide(undefined, sample, settingsSchema.parse({}));
  if (decision.kind !== "decided") throw new Error("not decided");
  return decision.next;
}

it("changes nothing that a sample says, whoever came, left, was renamed or is left alone", () => {
  const guests = Array.from({ length: 30 }, (_, n) =>
    guestSample(n, { run: 0.1, ...(n % 7 === 3 && { declared: exempt }) }),
  );
  const before = stateAfter(sampleOf("h", 1, guests));
  const after = [
    guests,
    guests.slice(3),
    guests.toReversed(),
    [guestSample(77, { run: 0 }), ...guests.slice(0, 4), ...guests.slice(20)],
    guests.map((guest, n) => (n === 5 ? { ...guest, name: "renamed" } : guest)),
    guests.map((guest) => ({ ...guest, name: "all alike" })),
    [],
  ];
  for (const each of after) {
    const sample = fromJson(sampleOf("h", 2, each));
    shareTexts(sample, before);
    expect(sample).toEqual(sampleOf("h", 2, each));
  }
  const first = fromJson(sampleOf("h", 1, guests));
  shareTexts(first, undefined);
  expect(first).toEqual(sampleOf("h", 1, guests));
});
