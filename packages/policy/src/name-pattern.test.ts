import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { matchesName } from "./name-pattern.ts";

describe("matchesName", () => {
  it.each([
    ["web-*", "web-1", true],
    ["web-*", "web-", true],
    ["web-*", "aweb-1", false],
    ["*-web", "a-web-b-web", true],
    ["w?b", "web", true],
    ["w?b", "wb", false],
    ["?", "\u{1f600}", true],
    ["*", "", true],
    ["", "", true],
    ["", "a", false],
    ["a*b*c", "a1b2b3c", true],
    ["a*b*c", "a1b2b3", false],
    ["a.c", "abc", false],
    ["[ab]", "a", false],
    ["a/*", "a/b/c", true],
    ['a:b,c="d"\n', 'a:b,c="d"\n', true],
    ["a*z", "a\n\"'z", true],
    ["Web", "web", false],
  ])("%j against %j: %j", (pattern, name, isMatch) => {
    expect(matchesName(pattern, name)).toBe(isMatch);
  });

  it("agrees with a regular expression made of the same pattern", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", "\n"), maxLength: 12 });
    fc.assert(
      fc.property(text, text, (pattern, name) => {
        const source = pattern.replace(/[*?]|\n/g, (char) =>
          char === "*" ? "[^]*" : char === "?" ? "[^]" : "\\n",
        );
        expect(matchesName(pattern, name)).toBe(new RegExp(`^${source}$`).test(name));
      }),
      { numRuns: 2000 },
    );
  });

  it("is not stalled by a name that makes backtracking matchers explode", () => {
    const before = process.cpuUsage();
    // Such a one tries 5,600,000,000 ways: long enough to tell by CPU time on any machine, and it ends.
    expect(matchesName(`${"a*".repeat(12)}b`, "a".repeat(40))).toBe(false);
    expect(process.cpuUsage(before).user).toBeLessThan(2_000_000);
  });
});
