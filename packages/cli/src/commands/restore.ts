/** `kvmgov restore`: guests back to what they were before, without any server. */
import { HostLockedError, type RestoreReport } from "@kvm-governor/linux";
import { askActuator } from "../ask-actuator.ts";
import { isRestored, restoreHost } from "../restore-host.ts";
import { visible } from "../supervisor/narrator.ts";
import { defaultPlaces } from "../supervisor/places.ts";

export interface RestoreFlags {
  guest?: string;
  stateDir?: string;
  json?: boolean;
}

export async function restoreCommand(flags: RestoreFlags): Promise<number> {
  const places = defaultPlaces(process.env, process.getuid?.() === 0);
  const stateDir = flags.stateDir ?? places.stateDir;
  const report = await restoreHost({
    stateDir,
    runDir: places.runDir,
    libvirtRunDir: process.env["KVMGOV_LIBVIRT_RUN_DIR"] ?? "/run/libvirt/qemu",
    reason: "kvmgov restore",
    ...(flags.guest === undefined ? {} : { guest: flags.guest }),
  }).catch((error: unknown) => {
    if (error instanceof HostLockedError) return error;
    throw error;
  });
  if (report instanceof HostLockedError) return restoreThroughActuator({ ...flags, stateDir }, report);
  const lines = flags.json === true ? [JSON.stringify(toJson(report))] : describe(report);
  process.stdout.write(`${lines.join("\n")}\n`);
  return isRestored(report) ? 0 : 1;
}

/** An actuator runs: it gives back what it holds, and leaves it alone from now on. */
async function restoreThroughActuator(
  { stateDir, guest, json }: RestoreFlags & { stateDir: string },
  locked: HostLockedError,
): Promise<number> {
  const names = await askActuator({ stateDir, guest }, locked);
  if (json === true) {
    process.stdout.write(`${JSON.stringify({ restored: true, by: "actuator", guests: names })}\n`);
    return 0;
  }
  const lines = names.map((name) => visible(`${name}: restored by the actuator`));
  const what = guest === undefined ? "all guests" : "this guest";
  lines.push(`The actuator runs on and leaves ${what} alone until \`kvmgov resume\`.`);
  process.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}

function toJson(report: RestoreReport): object {
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
  };
}

function describe(report: RestoreReport): string[] {
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
  return lines.length === 0 ? ["Nothing to restore: no guest is held."] : lines;
}
