/** Id of this host: the configured one, else from /etc/machine-id, else one made once and kept with the state. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { defaultHostId } from "@kvm-governor/service-kit";

/** @param machineIdFile minimal systems and images have none, or an empty one */
export function hostIdOf(
  configured: string | undefined,
  stateDir: string,
  machineIdFile = "/etc/machine-id",
): string {
  if (configured !== undefined && configured !== "") return configured;
  if (existsSync(machineIdFile) && readFileSync(machineIdFile, "utf8").trim() !== "") {
    return defaultHostId(machineIdFile);
  }
  const kept = path.join(stateDir, "host-id");
  if (!existsSync(kept)) writeFileSync(kept, `${randomBytes(16).toString("hex")}\n`, { mode: 0o644 });
  return readFileSync(kept, "utf8").trim();
}
