/** Every package that we depend on: its licence, its checksum, and that nothing of it runs at installation. Without a network. */
import { describe, expect, test } from "@jest/globals";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import {
  dependencyProblems,
  foreignPackages,
  packageName,
  UNUSED_INSTALL_SCRIPTS,
} from "../../scripts/lib/licences.js";
import { repository } from "../support/deployed.ts";

type Lock = Parameters<typeof dependencyProblems>[0];

const read = (file: string): string => readFileSync(path.join(repository, file), "utf8");
const lock = JSON.parse(read("package-lock.json")) as Lock;
const well = { version: "1.0.0", license: "MIT", integrity: "sha512-x" };
const problems = (entry: object, place = "node_modules/a"): string[] =>
  dependencyProblems({ packages: { "": {}, [place]: { ...well, ...entry } } });

describe("the packages of package-lock.json", () => {
  test("have licences that are allowed, checksums, and no install script that nobody looked at", () => {
    expect(foreignPackages(lock).length).toBeGreaterThan(150);
    expect(dependencyProblems(lock)).toEqual([]);
  });

  test("say of themselves what the lock file says of them", () => {
    const installed = foreignPackages(lock).filter(([place]) => existsSync(path.join(repository, place)));
    expect(installed.length).toBeGreaterThan(150);
    const differ = installed.flatMap(([place, { version, license }]) => {
      const own = JSON.parse(read(`${place}/package.json`)) as { version: string; license?: unknown };
      const named = typeof own.license === "string" ? own.license : license;
      return own.version === version && named === license
        ? []
        : [`${place}: ${own.version} ${String(named)}`];
    });
    expect(differ).toEqual([]);
  });

  test("run no script when they are installed", () => {
    expect(read(".npmrc").split("\n")).toContain("ignore-scripts=true");
    const withScripts = foreignPackages(lock).filter(([, { hasInstallScript }]) => hasInstallScript);
    const names = new Set(withScripts.map(([place]) => packageName(place)));
    expect(Object.keys(UNUSED_INSTALL_SCRIPTS).sort()).toEqual([...names].sort());
  });
});

test.each<[string, object, string | undefined]>([
  ["a licence that asks for more than its text", { license: "GPL-3.0-only" }, "licence GPL-3.0-only is not"],
  ["no licence", { license: undefined }, "names no licence"],
  ["a licence for development in what we release", { license: "MPL-2.0" }, "licence MPL-2.0 is not"],
  ["the same in what we develop with", { license: "MPL-2.0", dev: true }, undefined],
  ["no checksum", { integrity: undefined }, "no checksum"],
  ["a repository instead of a registry", { resolved: "git+ssh://git@h/a.git" }, "which is no registry"],
  ["an install script", { hasInstallScript: true }, "install script that nobody looked at"],
])("%s", (_what, entry, problem) => {
  const found = problems(entry, "node_modules/b/node_modules/@a/c");
  if (problem === undefined) expect(found).toEqual([]);
  else expect(found).toEqual([expect.stringContaining(`@a/c 1.0.0: `)]);
  expect(found.join()).toContain(problem ?? "");
});
