/** The counts of the last line are right, above all when something went wrong. */
import { expect, test } from "@jest/globals";
import { runFailedAgain, summarize } from "./lib/jest.js";

const suite = (status: string, ...results: [string, string][]) => named("a.test.ts", status, ...results);
const named = (name: string, status: string, ...results: [string, string][]) => ({
  name,
  message: status === "failed" ? "it broke\nin many lines" : "",
  status,
  assertionResults: results.map(([fullName, status]) => ({ fullName, status })),
});

test("sums over suites; skipped ones keep their names with the reason", () => {
  const suites = [
    suite("passed", ["a", "passed"], ["b — skipped: no /dev/kvm — c", "pending"]),
    suite("failed", ["d", "passed"], ["e", "failed"], ["f", "todo"]),
  ];
  expect(summarize(suites)).toEqual({
    passed: 2,
    failed: ["e"],
    skipped: ["b — skipped: no /dev/kvm — c", "f"],
    problems: [],
  });
});

test("a suite that did not run, or broke outside its tests, is a failure", () => {
  const { problems } = summarize([suite("failed"), suite("failed", ["a", "passed"])]);
  expect(problems).toHaveLength(2);
  expect(problems[0]).toMatch(/a\.test\.ts: it broke$/);
});

test("files that failed run once more: what fails again is failed, what does not is named", async () => {
  const first = {
    suites: [
      named("fine.test.ts", "passed", ["a", "passed"]),
      named("fault.test.ts", "failed", ["b", "failed"], ["c", "failed"], ["d", "passed"]),
      named("start.test.ts", "failed"),
    ],
    problems: ["e2e: jest did not end"],
  };
  const again: string[][] = [];
  const { run, unsteady } = await runFailedAgain(first, (files) => {
    again.push(files);
    return Promise.resolve({
      suites: [
        named("fault.test.ts", "failed", ["b", "failed"], ["c", "passed"], ["d", "passed"]),
        named("start.test.ts", "passed", ["e", "passed"]),
      ],
      problems: [],
    });
  });
  expect(again).toEqual([["fault.test.ts", "start.test.ts"]]);
  expect(summarize(run.suites)).toMatchObject({ passed: 4, failed: ["b"], problems: [] });
  expect(run.problems).toEqual(["e2e: jest did not end"]);
  expect(unsteady).toEqual(["c", expect.stringMatching(/start\.test\.ts: it broke$/)]);
});

test("nothing runs again when nothing failed", async () => {
  const run = { suites: [named("fine.test.ts", "passed", ["a", "passed"])], problems: [] };
  expect(await runFailedAgain(run, () => Promise.reject(new Error("ran again")))).toEqual({
    run,
    unsteady: [],
  });
});
