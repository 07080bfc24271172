/** `kvmgov completion SHELL`: the script that a shell completes `kvmgov` with, made from the commands themselves. */
import type { Command } from "commander";
import { completionScript, SHELLS } from "../completion/scripts.ts";
import type { Shell } from "../completion/scripts.ts";

export { SHELLS };

export function completion(program: Command, shell: string, { json }: { json?: boolean }): Promise<number> {
  const script = completionScript(program, shell as Shell);
  process.stdout.write(json === true ? `${JSON.stringify({ shell, script })}\n` : script);
  return Promise.resolve(0);
}
