/**
 * Plays every script of `cases/` and compares what it prints with the `.expected` file beside it. After a change that
 * is meant: `KVMGOV_UPDATE_SCENARIOS=1 npm test -- test/scenarios`, then read the difference.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { play } from "./print.ts";

const cases = join(import.meta.dirname, "cases");
const names = readdirSync(cases)
  .filter((file) => file.endsWith(".scenario"))
  .map((file) => file.slice(0, -".scenario".length));

describe("scenarios", () => {
  it.each(names)("%s", (name) => {
    const printed = play(readFileSync(join(cases, `${name}.scenario`), "utf8"));
    const file = join(cases, `${name}.expected`);
    if (process.env["KVMGOV_UPDATE_SCENARIOS"] === "1") writeFileSync(file, printed);
    expect(printed).toBe(readFileSync(file, "utf8"));
  });

  it("are all there: no expected output without a script", () => {
    expect(names.length).toBeGreaterThan(0);
    for (const file of readdirSync(cases)) {
      expect(existsSync(join(cases, file.replace(/\.expected$/, ".scenario")))).toBe(true);
    }
  });
});

describe("a script", () => {
  it.each([
    ["gust web 2", "line 1: gust is no step"],
    ["guest web 2\n\nload wab 1", "line 3: no guest wab"],
    ["guest web 2 slow", "line 1: slow says nothing about a guest"],
    ["guest web many", "line 1: many is no amount"],
    ["guest web 2\nguest web 2", "line 2: web is there already"],
    ["guest web 2\nstate web asleep", "line 2: asleep is none of running"],
  ])("with a fault says where: %j", (script, message) => {
    expect(() => play(script)).toThrow(message);
  });
});
