/** `kvmgov restore`: guests back to what they were before, without any server. */
import { HostLockedError, type RestoreReport } from "@kvm-governor/linux";
import { askActuator } from "../ask-actuator.ts";
import { lookForHostPlaces, type HostPlaces } from "../host-places.ts";
import { isRestored, restoreHost, runningGuests } from "../restore-host.ts";
import { visible } from "../supervisor/narrator.ts";
import { guestArgument, isWanted } from "../text/guest-argument.ts";

export interface RestoreFlags {
  guest?: string;
  stateDir?: string;
  json?: boolean;
}

/** Whoever asks may not write to the kernel. */
export class NotRootError extends Error {
  override readonly name = "NotRootError";
}

/** No guest of that name or UUID is held, and none runs. */
export class UnknownGuestError extends Error {
  override readonly name = "UnknownGuestError";
}

export async function restoreCommand(flags: RestoreFlags): Promise<number> {
  if (process.getuid?.() !== 0) {
    throw new NotRootError(
      "restore needs root: baselines and control groups are root's. Nothing was restored",
    );
  }
  const found = lookForHostPlaces(process.env);
  const places = flags.stateDir === undefined ? found : { ...found, stateDir: flags.stateDir };
  // Better restored from where baselines usually are than not at all; but it may not be where they are.
  const isSure = found.problem === undefined || flags.stateDir !== undefined;
  if (!isSure) process.stderr.write(`kvmgov: ${found.problem?.message}; looking in ${places.stateDir}\n`);
  const guest = guestArgument(flags.guest);
  const code = await restoreFrom(places, guest, flags.json === true);
  return isSure ? code : 1;
}

async function restoreFrom(places: HostPlaces, guest: string | undefined, json: boolean): Promise<number> {
  const { stateDir, runDir, libvirtRunDir } = places;
  const wish = guest === undefined ? {} : { guest };
  const report = await restoreHost({
    ...{ stateDir, runDir, libvirtRunDir },
    reason: "kvmgov restore",
    ...wish,
  }).catch((error: unknown) => {
    if (error instanceof HostLockedError) return error;
    throw error;
  });
  if (report instanceof HostLockedError) return restoreThroughActuator(places, guest, json, report);
  if (report.guests.length === 0 && report.unknown.length === 0) mustRun(guest, places);
  const lines = json
    ? [JSON.stringify(toJson(report, places))]
    : describe(report, guest ?? "no guest", stateDir);
  process.stdout.write(`${lines.join("\n")}\n`);
  return isRestored(report) ? 0 : 1;
}

/** @throws {UnknownGuestError} a wish for a guest that nobody knows is a slip of the pen, not a guest without anything to restore */
function mustRun(guest: string | undefined, { stateDir, libvirtRunDir }: HostPlaces): void {
  if (guest === undefined || runningGuests(libvirtRunDir).some((each) => isWanted(each, guest))) return;
  throw new UnknownGuestError(
    `no guest ${visible(guest)} runs on this host, and none is held (baselines: ${stateDir}); names are taken to the letter`,
  );
}

/** An actuator runs: it gives back what it holds, and leaves it alone from now on. */
async function restoreThroughActuator(
  places: HostPlaces,
  guest: string | undefined,
  json: boolean,
  locked: HostLockedError,
): Promise<number> {
  const { stateDir } = places;
  const names = await askActuator(
    { stateDir, guest, beforeAsking: (held) => held.length === 0 && mustRun(guest, places) },
    locked,
  );
  if (json) {
    process.stdout.write(`${JSON.stringify({ restored: true, by: "actuator", guests: names, stateDir })}\n`);
    return 0;
  }
  const lines = names.map((name) => visible(`${name}: restored by the actuator`));
  const what = guest === undefined ? "all guests" : visible(`guest ${guest}`);
  lines.push(`The actuator runs on and leaves ${what} alone until \`kvmgov resume\`.`);
  process.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}

function toJson(report: RestoreReport, { stateDir }: HostPlaces): object {
  return {
    restored: isRestored(report),
    guests: report.guests.map(({ guest, outcome, writes, notes }) => ({
      uuid: guest.uuid,
      name: guest.name,
      outcome,
      writes: writes.length,
      notes,
    })),
    journalLost: report.lost,
    unknown: report.unknown,
    stateDir,
  };
}

/** @param who was looked for */
function describe(report: RestoreReport, who: string, stateDir: string): string[] {
  const lines = report.guests.map(({ guest, outcome, writes, notes }) => {
    const what = {
      restored: `restored (${writes.length} writes)`,
      gone: "gone, nothing written",
      failed: "NOT restored",
    };
    return visible(`${guest.name}: ${what[outcome]}${notes.length === 0 ? "" : ` (${notes.join("; ")})`}`);
  });
  if (report.lost)
    lines.push("The journal had been lost: guests that were held were restored from libvirt's definitions.");
  for (const name of report.unknown)
    lines.push(visible(`${name}: its baseline is known to nobody, left as it is`));
  const isHeld = who === "no guest" ? "is held" : "is not held";
  return lines.length === 0
    ? [visible(`Nothing to restore: ${who} ${isHeld} (baselines: ${stateDir}).`)]
    : lines;
}
