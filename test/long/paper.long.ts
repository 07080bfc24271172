/**
 * The paper's experiment in its shortest form, on real Linux guests: stopped in the middle, taken up again, and complete. What it
 * measures is not judged here: the machine may be busy.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { armsOf } from "../paper/bench/plan.ts";
import type { ArmRun, BenchResult } from "../paper/bench/record.ts";
import type { Summary } from "../paper/bench/summary.ts";
import { type MachineState, NO_CHANGES, changesSince, machineState } from "../support/machine-state.ts";
import { describeWith } from "../support/requirements.ts";

const BENCH = fileURLToPath(new URL("../bench/paper.bench.ts", import.meta.url));
const RUN_MS_MAX = 600_000;

interface Ran {
  child: ChildProcess;
  /** What it told people. */
  lines: string[];
  ended: Promise<{ code: number | null; stdout: string }>;
}

describeWith(
  ["root", "kvm", "cgroup-v1", "openmp", "lab", "servers", "paper"],
  "the paper's experiment",
  () => {
    let dir: string;
    let before: MachineState;

    beforeAll(() => {
      dir = mkdtempSync(path.join(tmpdir(), "kvmgov-paper-test-"));
      before = machineState();
    });
    afterAll(async () => {
      expect(await changesSince(before)).toEqual(NO_CHANGES);
      rmSync(dir, { recursive: true, force: true });
    }, RUN_MS_MAX);

    const state = (): string => path.join(dir, "state.json");
    const runs = (): ArmRun[] => (JSON.parse(readFileSync(state(), "utf8")) as BenchResult).runs;

    function start(): Ran {
      const args = [
        "--short",
        // A busy machine starts programs slowly: longer than the default until a guest that rests is a service.
        "--beta",
        "4",
        "--kernels",
        "MG",
        "--seconds",
        "0.5",
        "--json",
        "--state",
        state(),
        "--out",
        path.join(dir, "docs"),
      ];
      const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", BENCH, ...args]);
      const lines: string[] = [];
      createInterface(child.stderr).on("line", (line) => lines.push(line));
      let stdout = "";
      child.stdout.on("data", (chunk) => (stdout += String(chunk)));
      return {
        child,
        lines,
        ended: once(child, "close").then(([code]) => ({ code: code as number | null, stdout })),
      };
    }

    test(
      "ends at once when it is told to, keeps the arms that are done, and goes on from there to the end",
      async () => {
        const first = start();
        while (
          !first.lines.some((line) => line.startsWith("round 1,") && !line.endsWith("; once more")) &&
          first.child.exitCode === null
        ) {
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        first.child.kill("SIGTERM");
        expect({ code: (await first.ended).code, said: first.lines }).toMatchObject({ code: 130 });
        const done = runs();
        expect(done.length).toBeGreaterThan(0);
        expect(await changesSince(before)).toEqual(NO_CHANGES);

        const second = start();
        const { code, stdout } = await second.ended;
        expect({ code, said: second.lines }).toMatchObject({ code: 0 });
        expect(second.lines).toContainEqual(
          expect.stringContaining(`going on after ${done.length} of ${armsOf("usual").length}`),
        );

        const report = JSON.parse(stdout) as { name: string; result: BenchResult; summary: Summary };
        expect(report.name).toBe("paper");
        expect(report.result.runs.slice(0, done.length)).toEqual(done);
        expect(report.result.runs.map(({ arm }) => arm).toSorted()).toEqual(armsOf("usual").toSorted());
        for (const run of report.result.runs) {
          expect(run).toMatchObject({ restored: true });
          expect(run.classified).toBe(run.arm === "paper" || run.arm === "governor" ? true : undefined);
          expect(run.kernels.map(({ kernel }) => kernel)).toEqual(run.arm === "services" ? [] : ["MG"]);
          expect(run.services.map(({ role }) => role)).toEqual(run.arm === "alone" ? [] : ["web", "pc"]);
          for (const { throughput, cores } of run.services)
            expect(Math.min(throughput, cores)).toBeGreaterThan(0);
        }
        expect(report.summary.kernels).toHaveLength(5);
        const page = readFileSync(path.join(dir, "docs/benchmarks.md"), "utf8");
        expect(page).toContain("## `paper`");
        for (const [, plot] of page.matchAll(/\]\(([^)]+\.svg)\)/g)) {
          expect(existsSync(path.join(dir, "docs", String(plot)))).toBe(true);
        }
      },
      RUN_MS_MAX,
    );
  },
);
