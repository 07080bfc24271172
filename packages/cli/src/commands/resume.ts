/** `kvmgov resume`: lets the manager go on with guests that `kvmgov restore` took back while it ran. */
import { releaseHandsOff } from "@kvm-governor/linux";
import { defaultPlaces } from "../supervisor/places.ts";

export interface ResumeFlags {
  guest?: string;
  stateDir?: string;
}

export async function resumeCommand(flags: ResumeFlags): Promise<number> {
  const stateDir = flags.stateDir ?? defaultPlaces(process.env, process.getuid?.() === 0).stateDir;
  const who = flags.guest ?? "all guests";
  const text = releaseHandsOff(stateDir, flags.guest)
    ? `${who}: plans are applied again`
    : `${who}: nothing was held back`;
  process.stdout.write(`${text}\n`);
  return 0;
}
