import { existsSync } from "node:fs";

/** Whether systemd runs this host (sd_booted(3)); in a container only where that directory is mounted. */
export function isSystemdHost(): boolean {
  return existsSync("/run/systemd/system");
}
