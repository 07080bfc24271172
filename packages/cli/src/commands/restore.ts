/** `kvmgov restore`: guests back to what they were before, without any server. */
import type { RestoreReport } from "@kvm-governor/linux";
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
  const report = await restoreHost({
    stateDir: flags.stateDir ?? places.stateDir,
    runDir: places.runDir,
    libvirtRunDir: process.env["KVMGOV_LIBVIRT_RUN_DIR"] ?? "/run/libvirt/qemu",
    ...(flags.guest === undefined ? {} : { guest: flags.guest }),
  });
  const lines = flags.json === true ? [JSON.stringify(toJson(report))] : describe(report);
  process.stdout.write(`${lines.join("\n")}\n`);
  return isRestored(report) ? 0 : 1;
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
  if (report.lost) lines.push("The journal had been lost: guests were restored from libvirt's definitions.");
  for (const name of report.unknown)
    lines.push(visible(`${name}: its baseline is known to nobody, left as it is`));
  return lines.length === 0 ? ["Nothing to restore: no guest is held."] : lines;
}
