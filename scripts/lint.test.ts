/** Plants what the lint rules are there for, and sees it caught: oxlint runs with the repository's own configuration. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ROOT } from "./lib/launch.js";

let dir: string;
beforeEach(() => {
  // Not below node_modules (oxlint skips it), but with one of its own, for the types of Node.
  dir = mkdtempSync(path.join(tmpdir(), "kvmgov-lint-"));
  copyFileSync(path.join(ROOT, "tsconfig.json"), path.join(dir, "tsconfig.base.json"));
  writeFileSync(
    path.join(dir, "tsconfig.json"),
    '{ "extends": "./tsconfig.base.json", "include": ["*.ts"] }',
  );
  symlinkSync(path.join(ROOT, "node_modules"), path.join(dir, "node_modules"));
});
afterEach(() => rmSync(dir, { recursive: true }));

function lint(files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(dir, name), text);
  const config = path.join(ROOT, ".oxlintrc.json");
  const args = ["--type-aware", "--no-ignore", "--format=unix", "-c", config, ...Object.keys(files)];
  const { status, stdout, stderr } = spawnSync(path.join(ROOT, "node_modules/.bin/oxlint"), args, {
    cwd: dir,
  });
  return `exit ${status}\n${String(stdout)}${String(stderr)}`;
}

test("clean code passes", () => {
  expect(lint({ "a.ts": 'export const a = await Promise.resolve("a");\n' })).toMatch(/^exit 0\n/);
});

test.each([
  ["typescript(no-floating-promises)", { "a.ts": "export async function f() {}\nf();\n" }],
  ["typescript(no-misused-promises)", { "a.ts": "export const a = [1].filter(async () => true);\n" }],
  ["typescript(no-explicit-any)", { "a.ts": "export const a = (b: any) => b === 1;\n" }],
  ["eslint(no-empty)", { "a.ts": "try {\n  throw new Error();\n} catch {}\nexport {};\n" }],
  ["eslint(no-warning-comments)", { "a.ts": `// ${"TO"}${"DO"}: later\nexport {};\n` }],
  [
    "import(no-cycle)",
    {
      "a.ts": 'import { b } from "./b.ts";\nexport const a = () => b;\n',
      "b.ts": 'import { a } from "./a.ts";\nexport const b = () => a;\n',
    },
  ],
])("%s is caught", (rule, files) => {
  const output = lint(files);
  expect(output).toMatch(/^exit 1\n/);
  expect(output).toContain(rule);
});
