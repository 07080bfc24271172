/** The counts of the last line are right, above all when something went wrong. */
import { expect, test } from "@jest/globals";
import { summarize } from "./lib/jest.js";

const suite = (status: string, ...results: [string, string][]) => ({
  name: "a.test.ts",
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
    failed: 1,
    skipped: ["b — skipped: no /dev/kvm — c", "f"],
    problems: [],
  });
});

test("a suite that did not run, or broke outside its tests, is a failure", () => {
  const { problems } = summarize([suite("failed"), suite("failed", ["a", "passed"])]);
  expect(problems).toHaveLength(2);
  expect(problems[0]).toMatch(/a\.test\.ts: it broke$/);
});
