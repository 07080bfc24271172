/** `kvmgov resume`: lets the manager go on with guests that `kvmgov restore` took back while it ran. */
import { releaseHandsOff } from "@kvm-governor/linux";
import { hostPlaces } from "../host-places.ts";
import { visible } from "../supervisor/narrator.ts";
import { guestArgument } from "../text/guest-argument.ts";
import { print } from "./asking.ts";

export interface ResumeFlags {
  guest?: string;
  stateDir?: string;
  json?: boolean;
}

export async function resumeCommand(flags: ResumeFlags): Promise<number> {
  const stateDir = flags.stateDir ?? hostPlaces(process.env).stateDir;
  const guest = guestArgument(flags.guest);
  const resumed = releaseHandsOff(stateDir, guest);
  const who = visible(guest ?? "all guests");
  const text = resumed
    ? `${who}: plans are applied again`
    : visible(`${who}: nothing was held back (looked in ${stateDir})`);
  print([flags.json === true ? JSON.stringify({ resumed, guest: guest ?? null, stateDir }) : text]);
  return 0;
}
