/** Where `kvmgov up` keeps what it needs, for root and for everybody else. */
import { homedir, tmpdir } from "node:os";
import path from "node:path";

export interface Places {
  /** Survives a restart: baselines, lists. */
  stateDir: string;
  /** Gone after a boot: locks, heartbeat. */
  runDir: string;
}

export function defaultPlaces(env: NodeJS.ProcessEnv, isRoot: boolean): Places {
  if (isRoot) {
    return {
      stateDir: env["KVMGOV_STATE_DIR"] ?? "/var/lib/kvm-governor",
      runDir: env["KVMGOV_RUN_DIR"] ?? "/run/kvm-governor",
    };
  }
  const state = env["XDG_STATE_HOME"] ?? path.join(homedir(), ".local/state");
  return {
    stateDir: env["KVMGOV_STATE_DIR"] ?? path.join(state, "kvm-governor"),
    runDir:
      env["KVMGOV_RUN_DIR"] ??
      path.join(env["XDG_RUNTIME_DIR"] ?? tmpdir(), `kvm-governor-${process.getuid?.() ?? "user"}`),
  };
}
