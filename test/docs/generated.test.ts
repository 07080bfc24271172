/** What is made from the code is what lies in docs/. */
import { readFileSync } from "node:fs";
import { expect, it } from "@jest/globals";
import { program } from "../../packages/cli/src/main.ts";
import { manPage } from "../../packages/cli/src/man-page.ts";
import { configurationPage } from "./configuration-page.ts";

const page = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");

it("docs/kvmgov.1 is up to date (node test/docs/man.ts)", () => {
  expect(page("kvmgov.1")).toBe(manPage(program));
});

it("docs/configuration.md is up to date (node test/docs/configuration.ts)", async () => {
  expect(page("configuration.md")).toBe(await configurationPage());
});
