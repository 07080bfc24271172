/** Plants a violation of each rule and sees it caught: a check that cannot fail is none. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { findViolations, importsOf } from "./lib/import-rules.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "kvmgov-imports-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function plant(file: string, text: string): string[] {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
  return findViolations(root).violations;
}

const caught: [string, string, string][] = [
  ["packages/policy/src/a.ts", 'import { x } from "@kvm-governor/linux";', "policy must not import linux"],
  ["packages/policy/src/a.ts", 'import { readFileSync } from "node:fs";', "policy is pure"],
  ["packages/linux/src/a.ts", 'import "@kvm-governor/service-kit";', "linux must not import service-kit"],
  [
    "packages/service-kit/src/a.ts",
    'export * from "@kvm-governor/linux";',
    "service-kit must not import linux",
  ],
  [
    "services/classifier/src/a.ts",
    'import type { T } from "@kvm-governor/linux";',
    "classifier must not import linux",
  ],
  [
    "services/actuator/src/a.ts",
    'import { x } from "@kvm-governor/collector";',
    "actuator must not import collector",
  ],
  [
    "services/collector/src/a.ts",
    'const x = await import("@kvm-governor/cli");',
    "collector must not import cli",
  ],
  ["services/collector/src/a.ts", 'import { Redis } from "ioredis";', "Redis stays inside the classifier"],
  ["services/actuator/src/a.ts", 'import koffi from "koffi";', "only linux talks to the kernel"],
  ["packages/lab/src/a.ts", 'import { x } from "@kvm-governor/linux";', "lab must not import linux"],
  ["packages/linux/src/a.ts", 'import { x } from "../../policy/src/index.ts";', "leaves linux"],
  [
    "packages/linux/src/a.ts",
    'import { x } from "@kvm-governor/policy/src/units.ts";',
    "past the front door",
  ],
  ["packages/cli/src/a.ts", 'import { x } from "../../../test/support/x.ts";', "cli must not import test"],
  [
    "packages/linux/src/a.ts",
    'import {\n  type A,\n  b,\n} from "@kvm-governor/lab";',
    "linux must not import lab",
  ],
];

test.each(caught)("%s: %s", (file, text, message) => {
  expect(plant(file, text)).toEqual([expect.stringContaining(message)]);
});

test.each([
  ["packages/linux/src/a.ts", 'import { x } from "@kvm-governor/policy";\nimport koffi from "koffi";'],
  ["services/classifier/src/a.ts", 'import { Redis } from "ioredis";\nimport { b } from "./b.ts";'],
  ["packages/lab/src/a.ts", 'import { x } from "../../../scripts/lib/toolbox.js";'],
  ["packages/linux/src/a.test.ts", 'import { x } from "../../../test/support/x.ts";'],
  [
    "test/e2e/a.test.ts",
    'import { x } from "@kvm-governor/cli";\nimport "../../packages/linux/src/deep.ts";',
  ],
])("%s: allowed", (file, text) => {
  expect(plant(file, text)).toEqual([]);
});

test("an empty tree is told from a clean one", () => {
  expect(findViolations(root).files).toBe(0);
});

test("all forms of import are seen, text about imports is not", () => {
  const text = `import a from "1"; import { b } from '2';\nimport "3";\nexport { c } from "4";\nawait import("5");
    const notImported = { from: "6" }; // from "7"\nmessage("import it from", "8");`;
  expect(importsOf(text)).toEqual(["1", "2", "3", "4", "5"]);
});
