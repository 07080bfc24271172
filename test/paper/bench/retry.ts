/** One arm that fails is tried once more: an hour of rounds should not end for one guest that did not answer in time. */
import { PaperGuestError } from "../guest/errors.ts";
import { LoadError } from "./loads.ts";
import type { TrialContext } from "./trial.ts";

/** @param name of what is run, for the line that tells of the failure */
export async function twice<T>(
  { signal, say }: Pick<TrialContext, "signal" | "say">,
  name: string,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const isGuests = error instanceof PaperGuestError || error instanceof LoadError;
    if (!isGuests || signal.aborted) throw error;
    say(`${name}: ${error.message}; once more`);
    return run();
  }
}
