/**
 * Where this host's actuator keeps what it needs, for commands that come after it: the environment, else its configuration file, else the
 * defaults. Of the file only the directories count here: a wrong limit must not keep anybody from restoring.
 */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import type { RestorePlaces } from "./restore-host.ts";

/** As the unit of the actuator has it. */
export const ACTUATOR_CONFIG = "/etc/kvm-governor/actuator.yaml";

/** The file that says where is there, and cannot be used. */
export class HostPlacesError extends Error {
  override readonly name = "HostPlacesError";
}

export interface HostPlaces extends Pick<RestorePlaces, "stateDir" | "runDir" | "libvirtRunDir"> {
  /** Why the file does not count; the directories are then those of environment and defaults. */
  problem?: HostPlacesError;
}

const dir = z.string().min(1).optional();
const fileSchema = z.object({ stateDir: dir, runDir: dir, libvirtRunDir: dir }).nullable();

const VARIABLES = {
  stateDir: "KVMGOV_STATE_DIR",
  runDir: "KVMGOV_RUN_DIR",
  libvirtRunDir: "KVMGOV_LIBVIRT_RUN_DIR",
};

/**
 * For whoever must go on without the file, and say so. Never throws.
 * @param file by default the one that KVMGOV_CONFIG names, or the unit's where there is one
 */
export function lookForHostPlaces(env: NodeJS.ProcessEnv, file?: string): HostPlaces {
  const given = (key: keyof typeof VARIABLES): string | undefined => env[VARIABLES[key]] || undefined;
  let read: z.infer<typeof fileSchema> = null;
  let problem: HostPlacesError | undefined;
  try {
    // What the environment says in full is not looked for.
    const isNeeded = Object.values(VARIABLES).some((name) => !env[name]);
    if (isNeeded) read = readConfig(env["KVMGOV_CONFIG"] || undefined, file ?? ACTUATOR_CONFIG);
  } catch (error) {
    if (!(error instanceof HostPlacesError)) throw error;
    problem = error;
  }
  return {
    stateDir: given("stateDir") ?? read?.stateDir ?? "/var/lib/kvm-governor",
    runDir: given("runDir") ?? read?.runDir ?? "/run/kvm-governor",
    libvirtRunDir: given("libvirtRunDir") ?? read?.libvirtRunDir ?? "/run/libvirt/qemu",
    ...(problem !== undefined && { problem }),
  };
}

/** @throws {HostPlacesError} the file cannot be used: one would look, and find nothing, in the wrong place */
export function hostPlaces(env: NodeJS.ProcessEnv, file?: string): HostPlaces {
  const places = lookForHostPlaces(env, file);
  if (places.problem !== undefined) throw places.problem;
  return places;
}

/** @param named must be there; `usual` need not */
function readConfig(named: string | undefined, usual: string): z.infer<typeof fileSchema> {
  const file = named ?? usual;
  try {
    return fileSchema.parse(parse(readFileSync(file, "utf8"), { prettyErrors: false }));
  } catch (cause) {
    if (named === undefined && (cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    const why =
      cause instanceof z.ZodError
        ? cause.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ")
        : (cause as Error).message;
    throw new HostPlacesError(`${file} does not say where baselines are kept: ${why}`, { cause });
  }
}
