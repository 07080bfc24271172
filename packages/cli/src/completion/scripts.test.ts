import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { program } from "../main.ts";
import { completionScript } from "./scripts.ts";

/** What bash would offer for a line; its last word is the one that is completed. */
function offered(...words: string[]): string[] {
  const script = `${completionScript(program, "bash")}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kvmgov; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["-c", script, "bash", ...words], { encoding: "utf8" })
    .trim()
    .split("\n");
}

describe("completion", () => {
  it("of bash offers commands, their options, and the values of those", () => {
    expect(offered("kvmgov", "ex")).toEqual(["explain"]);
    expect(offered("kvmgov", "plan", "--d")).toEqual(["--dry-run"]);
    expect(offered("kvmgov", "up", "--preset", "p")).toEqual(["paper"]);
    expect(offered("kvmgov", "completion", "f")).toEqual(["fish"]);
    expect(offered("kvmgov", "up", "--policy", "/etc/pass")).toContain("/etc/passwd");
  });

  it("knows every command in every shell", () => {
    for (const shell of ["bash", "zsh", "fish"] as const) {
      const script = completionScript(program, shell);
      for (const command of program.commands) expect(script).toContain(command.name());
    }
  });

  for (const [shell, flag] of [
    ["zsh", "-n"],
    ["fish", "-n"],
  ] as const) {
    const isThere = ["/bin", "/usr/bin"].some((dir) => existsSync(`${dir}/${shell}`));
    (isThere ? it : it.skip)(
      `of ${shell} is read by it${isThere ? "" : ` — skipped: no ${shell} here —`}`,
      () => {
        execFileSync(shell, [flag], { input: completionScript(program, shell) });
      },
    );
  }
});
