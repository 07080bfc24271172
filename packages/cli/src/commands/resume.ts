/** `kvmgov resume`: lets the manager go on with guests that `kvmgov restore` took back while it ran. */
import { releaseHandsOff } from "@kvm-governor/linux";
import { visible } from "../supervisor/narrator.ts";
import { defaultPlaces } from "../supervisor/places.ts";
import { print } from "./asking.ts";

export interface ResumeFlags {
  guest?: string;
  stateDir?: string;
  json?: boolean;
}

export async function resumeCommand(flags: ResumeFlags): Promise<number> {
  const stateDir = flags.stateDir ?? defaultPlaces(process.env, process.getuid?.() === 0).stateDir;
  const resumed = releaseHandsOff(stateDir, flags.guest);
  const who = visible(flags.guest ?? "all guests");
  const text = resumed ? `${who}: plans are applied again` : `${who}: nothing was held back`;
  print([flags.json === true ? JSON.stringify({ resumed, guest: flags.guest ?? null }) : text]);
  return 0;
}
