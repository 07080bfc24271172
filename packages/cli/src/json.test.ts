/** Every command speaks to programs too; what each says is in docs/operations.md. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { program } from "./main.ts";

const operations = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");

describe("--json", () => {
  it.each(program.commands.map((command) => [command.name(), command] as const))(
    "is an option of %s, and documented",
    (name, command) => {
      expect(command.options.map(({ long }) => long)).toContain("--json");
      expect(operations).toMatch(new RegExp(`^\\| \`${name}( [^\`]*)?\` `, "m"));
    },
  );
});
