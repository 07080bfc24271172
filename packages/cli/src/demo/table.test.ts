import { describe, expect, it } from "@jest/globals";
import type { Guest } from "@kvm-governor/lab";
import type { ArmTick } from "./arm.ts";
import { castFor } from "./cast.ts";
import type { HeldView } from "./held-view.ts";
import { RowMaker, tableInOneLine, tableLines } from "./table.ts";

const actors = castFor(2).map((part) => ({ ...part, guest: { uuid: `uuid of ${part.name}` } as Guest }));
const held = new Map<string, () => HeldView>(
  actors.map(({ name }) => [
    name,
    () =>
      name === "scientific"
        ? { quota: "-", weight: "idle", cpus: "0-1" }
        : { quota: "0.90", weight: "1", cpus: "0" },
  ]),
);

function tick(atMs: number, cores: number, scientific?: string[]): ArmTick {
  return {
    elapsedMs: atMs,
    lengthMs: 20_000,
    reading: {
      hostIdleNs: 0,
      guests: new Map(
        actors.map(({ name }) => [name, { atMs, runNs: atMs * cores * 1e6, delayNs: 0, switches: atMs }]),
      ),
    },
    rounds: new Map(actors.map(({ name }) => [name, atMs * 2])),
    scientific: scientific && new Set(scientific),
  };
}

describe("the table", () => {
  it("shows rates since the last look, lists and how guests are held", () => {
    const maker = new RowMaker(actors, held);
    maker.rows(tick(1000, 0.5, []));
    expect(tableLines("title", maker.rows(tick(2000, 0.5, ["uuid of scientific"])))).toEqual([
      "",
      "title",
      "guest        class          CPU used      quota  weight    CPUs  switches/s  rounds/s",
      "pc           service       0.50 of 1       0.90       1       0        1000      2000",
      "web          service       0.50 of 1       0.90       1       0        1000      2000",
      "scientific   scientific    0.50 of 2          -    idle     0-1        1000      2000",
    ]);
  });

  it("shows no rates at the first look, and no lists without a manager", () => {
    const rows = new RowMaker(actors, held).rows(tick(1000, 0.5));
    expect(rows.map(({ cores, list }) => [cores, list])).toEqual(actors.map(() => [null, "-"]));
  });

  it("fits into one line where it cannot be drawn in place", () => {
    const maker = new RowMaker(actors, held);
    maker.rows(tick(1000, 1, []));
    const line = tableInOneLine("title", maker.rows(tick(2000, 1, ["uuid of scientific"])));
    expect(line).toContain("web [service] 1.00 cores, quota 0.90, 1000 switches/s");
    expect(line).toContain("scientific [scientific] 1.00 cores, below services");
    expect(line).not.toContain("\n");
  });
});
