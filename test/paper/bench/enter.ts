/** How a benchmark with the paper's guests begins and ends: arguments, signals, errors, exit code. */
import { Screen } from "../../../packages/cli/src/demo/screen.ts";
import { PaperGuestError } from "../guest/errors.ts";
import { ChangeError } from "./changes.ts";
import { OptionsError } from "./options.ts";
import { StateError } from "./state.ts";

export interface Entry {
  /** Answer to `--help`. */
  usage: string;
  /** Said when a signal ends it. */
  onStop: string;
}

/**
 * Sets the process's exit code: 0, 1 after an error, 2 for arguments that cannot be understood, 130 after SIGINT or SIGTERM.
 * @param run has to end soon after the signal is aborted, and to leave nothing behind
 */
export async function enter(
  { usage, onStop }: Entry,
  run: (args: readonly string[], screen: Screen, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const args = process.argv.slice(2);
  if (args.includes("--help")) return void process.stdout.write(`${usage}\n`);
  const screen = new Screen(process.stderr);
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      screen.say(`Ending. ${onStop}`);
      stop.abort();
    });
  }
  try {
    await run(args, screen, stop.signal);
  } catch (error) {
    const isAborted = (error as Error).name === "AbortError";
    const isUsage = error instanceof OptionsError || error instanceof StateError;
    const isPlain = isUsage || error instanceof PaperGuestError || error instanceof ChangeError;
    if (!isAborted) screen.say(isPlain ? error.message : String((error as Error).stack));
    process.exitCode = isAborted ? 130 : isUsage ? 2 : 1;
  }
}
