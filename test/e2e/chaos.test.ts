/**
 * The chaos test in its short form: each kind of fault once, in an order from a seed; the long form is `npm run test:chaos`. As root with
 * machines that can be cut off, and some of the faults on a plain loopback for everybody.
 */
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { Chaos } from "../chaos/chaos.ts";
import type { ChaosReport } from "../chaos/chaos.ts";
import type { FaultKind } from "../chaos/faults.ts";
import { once } from "../chaos/schedule.ts";
import { describeWith, whyNot } from "../support/requirements.ts";
import { Seeded } from "../support/seeded.ts";

const SEED = 20261120;
const PERIOD_MS = 1000;
const PLAN_TTL_MS = 10_000;
/** Told where something fails. */
const lines: string[] = [];

jest.setTimeout(240_000);

/** Struck in namespaces; the rest of the kinds on the loopback. */
const CUTS: readonly FaultKind[] = ["cut classifier", "kill unreplicated redis", "cut nats", "cut hosts"];
const KILLS: readonly FaultKind[] = ["kill classifier", "kill nats", "kill redis", "slow hosts"];

async function run(kinds: readonly FaultKind[], isNamespaced: boolean): Promise<ChaosReport> {
  const chaos = new Chaos({
    seed: SEED,
    periodMs: PERIOD_MS,
    planTtlMs: PLAN_TTL_MS,
    beta: 3,
    isNamespaced,
    log: (line) => lines.push(line),
  });
  try {
    await chaos.begin();
    for (const step of once(kinds, new Seeded(SEED))) await chaos.step(step);
    return await chaos.end();
  } catch (cause) {
    throw new Error(`${lines.join("\n")}\n${chaos.warnings.slice(-20).join("\n")}`, { cause });
  } finally {
    await chaos.close();
  }
}

function describeChaos(
  title: string,
  kinds: readonly FaultKind[],
  options: { isNamespaced: boolean; isSkipped: boolean },
): void {
  (options.isSkipped ? describe.skip : describe)(title, () => {
    let report: ChaosReport;
    beforeAll(async () => {
      report = await run(kinds, options.isNamespaced);
    }, 240_000);
    afterAll(() => void lines.splice(0));

    it("breaks nothing that must hold, at any plan and in any state of Redis", () => {
      expect(report.violations).toEqual([]);
      // It looked at something.
      expect(report.plans).toBeGreaterThan(200);
      expect(report.reads).toBeGreaterThan(200);
      expect(report.repeated).toBeGreaterThan(20);
    });

    it("ends with a plan at each host after each fault", () => {
      expect(report.recoveries.map(({ kind }) => kind).toSorted()).toEqual(kinds.toSorted());
      for (const { hostsMs } of report.recoveries) expect(hostsMs.size).toBeGreaterThan(5);
    });

    if (kinds.includes("kill classifier"))
      it("has the hosts of a dead classifier taken over within two periods", () => {
        const dead = report.recoveries.filter(({ kind }) => kind === "kill classifier");
        expect(dead).toHaveLength(1);
        for (const { hostsMs } of dead) expect(Math.max(...hostsMs.values())).toBeLessThan(2 * PERIOD_MS);
      });

    if (kinds.includes("kill unreplicated redis"))
      it("heals what a failover of Redis lost, within two ticks", () => {
        expect(report.lost.length).toBeGreaterThan(10);
        for (const { ticks, healedAfterTicks } of report.lost) {
          expect(ticks).toBeGreaterThan(0);
          expect(healedAfterTicks).toBeLessThanOrEqual(2);
        }
      });
  });
}

describeWith(["servers"], "chaos", () => {
  describeChaos("on one loopback: what dies or freezes", KILLS, { isNamespaced: false, isSkipped: false });
  const why = whyNot(["root"]);
  const what = "in network namespaces: what is cut off";
  describeChaos(why === undefined ? what : `${what} — skipped: ${why} —`, CUTS, {
    isNamespaced: true,
    isSkipped: why !== undefined,
  });
});
