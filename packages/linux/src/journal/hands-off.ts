/**
 * `stateDir/hands-off.json`: guests that an operator took back while an actuator runs. The actuator takes them back when it sees the file,
 * and leaves them alone until it is gone; a restart or a boot does not change an operator's mind.
 */
import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readIfThere } from "../proc/read.ts";

const handsOffSchema = z.strictObject({
  /** `all`, or UUIDs and names. */
  guests: z.union([z.literal("all"), z.array(z.string().min(1).max(1024)).max(10_000)]),
});

/** The file is there and does not say what it should. */
export class HandsOffError extends Error {
  override readonly name = "HandsOffError";
}

export class HandsOff {
  readonly guests: "all" | readonly string[];

  constructor(guests: "all" | readonly string[]) {
    this.guests = guests;
  }

  get isAll(): boolean {
    return this.guests === "all";
  }

  covers({ uuid, name }: { uuid: string; name: string }): boolean {
    return (
      this.guests === "all" || this.guests.some((entry) => entry === name || entry.toLowerCase() === uuid)
    );
  }
}

export const handsOffFile = (stateDir: string): string => join(stateDir, "hands-off.json");

/**
 * @returns undefined where there is none
 * @throws {HandsOffError} what it says cannot be read: whoever wrote it wanted something left alone
 */
export function readHandsOff(stateDir: string): HandsOff | undefined {
  const file = handsOffFile(stateDir);
  // Asked first: there is none as a rule, and the error of a read costs more than the question.
  const text = statSync(file, { throwIfNoEntry: false }) && readIfThere(file);
  if (text === undefined) return undefined;
  try {
    return new HandsOff(handsOffSchema.parse(JSON.parse(text)).guests);
  } catch (cause) {
    throw new HandsOffError(`${file}: ${(cause as Error).message}`, { cause });
  }
}

/** Adds one guest, or all. */
export function putHandsOff(stateDir: string, guest: string | undefined): void {
  const known = readHandsOff(stateDir)?.guests ?? [];
  const guests = guest === undefined || known === "all" ? "all" : [...new Set([...known, guest])];
  write(stateDir, guests);
}

/**
 * Lets one guest go on, or all.
 * @returns whether anything was held back
 * @throws {HandsOffError} one guest cannot be taken out of `all`
 */
export function releaseHandsOff(stateDir: string, guest: string | undefined): boolean {
  if (guest === undefined) {
    const was = readIfThere(handsOffFile(stateDir)) !== undefined;
    rmSync(handsOffFile(stateDir), { force: true });
    return was;
  }
  const known = readHandsOff(stateDir)?.guests ?? [];
  if (known === "all")
    throw new HandsOffError("all guests are held back: release them all (without --guest)");
  if (!known.includes(guest)) return false;
  const rest = known.filter((other) => other !== guest);
  if (rest.length === 0) rmSync(handsOffFile(stateDir), { force: true });
  else write(stateDir, rest);
  return true;
}

function write(stateDir: string, guests: "all" | readonly string[]): void {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const file = handsOffFile(stateDir);
  writeFileSync(`${file}.new`, `${JSON.stringify({ guests })}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}
