/** The numbers of docs/how-it-decides.md are those of decide(). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { WEB, solverReasons, workedExample, workedTable } from "./worked-example.ts";

const page = readFileSync(new URL("../../docs/how-it-decides.md", import.meta.url), "utf8");
const decisions = workedExample();

/** Without the padding that prettier gives columns. */
const plain = (text: string): string =>
  text
    .replaceAll(/ *\| */g, "|")
    .replaceAll(/-{3,}/g, "---")
    .trim();

function between(mark: string): string {
  const text = new RegExp(`<!-- ${mark} -->([\\s\\S]*)<!-- /${mark} -->`).exec(page)?.[1];
  if (text === undefined) throw new Error(`docs/how-it-decides.md has no part ${mark}`);
  return text.trim();
}

describe("docs/how-it-decides.md", () => {
  it("has the table that decide() makes", () => {
    expect(plain(between("solver"))).toBe(plain(workedTable(decisions)));
  });

  it("has the reasons of period 4", () => {
    expect(between("reasons")).toBe(
      solverReasons(decisions, 4)
        .map((text) => `    ${text}`)
        .join("\n")
        .trim(),
    );
  });

  it("says in words what the periods show", () => {
    const [third, fourth, twelfth] = [decisions[2], decisions[3], decisions[11]];
    expect(third?.report.guests[1]).toMatchObject({ class: "service", usage: 0.4, demand: 1 });
    expect(fourth?.report).toMatchObject({ availableCores: 7.2 });
    expect(fourth?.report.guests[1]).toMatchObject({ movedFrom: "service", entitlementCores: 4 });
    expect(fourth?.plan.guests[1]?.vcpus.map(({ cpus }) => cpus)).toEqual([[4], [5], [6], [7]]);
    expect(fourth?.plan.guests.find(({ uuid }) => uuid === WEB)?.vcpus[0]?.cpus).toEqual([0, 1, 2, 3]);
    expect(decisions.slice(3, 11).every(({ plan }) => plan.generation === fourth?.plan.generation)).toBe(
      true,
    );
    expect(twelfth?.report.guests[1]).toMatchObject({ movedFrom: "scientific" });
    expect(twelfth?.plan.guests[1]).toMatchObject({ weight: "baseline", emulatorCpus: "baseline" });
    expect(twelfth?.plan.guests[1]?.vcpus[0]).toMatchObject({ bandwidth: "baseline", cpus: "baseline" });
  });
});
