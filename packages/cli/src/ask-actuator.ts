/** Has a running actuator take guests back and leave them alone: it holds the host lock, and would hold them again at its next tick. */
import { setTimeout as sleep } from "node:timers/promises";
import { putHandsOff, readJournalEntries, type HostLockedError } from "@kvm-governor/linux";
import { isWanted } from "./text/guest-argument.ts";

/** The actuator was asked, and guests are still held. */
export class ActuatorSilentError extends Error {
  override readonly name = "ActuatorSilentError";
}

const WAIT_MS_MAX = 10_000;
const POLL_MS = 100;

export interface AskOptions {
  stateDir: string;
  /** Name or UUID of one guest; absent: all. */
  guest?: string | undefined;
  /** Called with the names of those that are held and wanted; what it throws keeps the actuator from being asked. */
  beforeAsking?: (held: readonly string[]) => unknown;
  waitMsMax?: number;
}

/**
 * Resolves when the guests are back; the actuator stays, and leaves them alone until `kvmgov resume`.
 * @returns names of the guests that went back
 * @throws {ActuatorSilentError} it does not answer: it is frozen, or could not restore
 */
export async function askActuator(
  { stateDir, guest, beforeAsking, waitMsMax = WAIT_MS_MAX }: AskOptions,
  locked: HostLockedError,
): Promise<string[]> {
  const held = (): string[] =>
    readJournalEntries(stateDir)
      .map((entry) => entry.guest)
      .filter((entry) => isWanted(entry, guest))
      .map(({ name }) => name);
  const before = held();
  beforeAsking?.(before);
  putHandsOff(stateDir, guest);
  for (let waited = 0; held().length > 0; waited += POLL_MS) {
    if (waited >= waitMsMax) {
      const who =
        locked.holder === undefined ? "the actuator" : `the actuator (process ${locked.holder.pid})`;
      throw new ActuatorSilentError(
        `${who} was asked and has not given back ${held().join(", ")} within ${waitMsMax / 1000} s; ` +
          "end it (SIGKILL if it is frozen) and run this again",
      );
    }
    await sleep(POLL_MS);
  }
  return before;
}
