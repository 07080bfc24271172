/** Where `kvmgov up` keeps what it needs, for root and for everybody else. */
import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { hostPlaces } from "../host-places.ts";

export interface Places {
  /** Survives a restart: baselines, lists. */
  stateDir: string;
  /** Gone after a boot: locks, heartbeat. */
  runDir: string;
}

/** @throws {HostPlacesError} the host's configuration cannot be used */
export function defaultPlaces(env: NodeJS.ProcessEnv, isRoot: boolean): Places {
  if (isRoot) {
    // Where `kvmgov restore` will look.
    const { stateDir, runDir } = hostPlaces(env);
    return { stateDir, runDir };
  }
  const state = env["XDG_STATE_HOME"] ?? path.join(homedir(), ".local/state");
  return {
    stateDir: env["KVMGOV_STATE_DIR"] ?? path.join(state, "kvm-governor"),
    runDir:
      env["KVMGOV_RUN_DIR"] ??
      path.join(env["XDG_RUNTIME_DIR"] ?? tmpdir(), `kvm-governor-${process.getuid?.() ?? "user"}`),
  };
}
