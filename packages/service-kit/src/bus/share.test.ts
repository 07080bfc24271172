import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { divideParts } from "./share.ts";

const names = fc.uniqueArray(fc.uuid(), {
  minLength: 1,
  maxLength: 12,
});

describe("divideParts", () => {
  it("gives every part to one member, evenly, whatever the order of the names", () => {
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 80 }), (members, parts) => {
        const owners = divideParts(members, parts);
        expect(owners).toHaveLength(parts);
        expect(divideParts(members.toReversed(), parts)).toEqual(owners);
        const counts = members.map((name) => owners.filter((owner) => owner === name).length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("leaves most parts where they are when a member goes", () => {
    let moved = 0;
    let others = 0;
    for (let round = 0; round < 50; round++) {
      const members = ["a", "b", "c", "d"].map((name) => `${name}${round}`);
      const before = divideParts(members, 33);
      const after = divideParts(members.slice(1), 33);
      for (const [part, owner] of before.entries()) {
        if (owner === members[0]) continue;
        others++;
        moved += Number(after[part] !== owner);
      }
    }
    expect(moved / others).toBeLessThan(0.25);
  });

  it("gives nothing to nobody", () => {
    expect(divideParts([], 33)).toEqual([]);
  });
});
