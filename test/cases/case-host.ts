/** A host that the cases run on: real libvirt guests on cgroup v1 of this machine, or on v2 of an emulated one. */
import type { GuestSpec } from "@kvm-governor/lab";

/** A guest of a case: `spin` keeps its first vCPU busy, else it halts. */
export type CaseGuestSpec = Omit<GuestSpec, "load"> & { vcpus?: number; spin?: boolean };

export interface CaseGuest {
  name: string;
  uuid: string;
  pid: number;
  /** Clock ticks after boot. */
  startTime: number;
  /** By vCPU number. */
  vcpuTids: readonly number[];
}

/** The part of a log line that cases look at. */
export interface CaseEvent {
  event?: string;
  [field: string]: unknown;
}

export interface ServiceOptions {
  /**
   * Whether somebody stands guard: restores when it ends without having done so. systemd's `ExecStopPost` where systemd runs the
   * host, else what the supervisor of `kvmgov up` does.
   */
  isGuarded?: boolean;
}

/** A service that runs on the host as a process of its own. */
export interface CaseService {
  /** Waits until there are `count` lines of an event; the last of them. */
  event(event: string, timeoutMs?: number, count?: number): Promise<CaseEvent>;
  /** Orderly end. @returns the exit code */
  stop(): Promise<number | null>;
  /** Sudden end (SIGKILL). Resolves when whoever stands guard has done its work. */
  kill(): Promise<void>;
}

export interface CaseOutput {
  code: number;
  stdout: string;
  stderr: string;
}

/** Every byte that may have changed, by file or `affinity TID`. */
export type KernelState = Record<string, string>;

/** A host whose own systemd can run the units of a release. */
export interface UnitHost {
  /** The archive that `npm run release` made, as a path on the host. */
  archive: string;
  /** What programs and units on it need in their environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** What units need besides; not for commands: an uninstall must not leave what it writes at its end. */
  readonly unitEnvironment: Readonly<Record<string, string>>;
  /** How much longer than on a quiet machine everything takes now; at least 1. */
  readonly slowness: number;
  /** Runs a command line as root that must succeed. @returns what it printed @throws {Error} with what it said instead */
  sh(command: string, options?: { timeoutMs?: number }): Promise<string>;
  /** Writes a file; its directory must exist. */
  put(file: string, text: string): Promise<void>;
}

export interface CaseHost {
  readonly cgroupVersion: 1 | 2;
  /** How much longer than on a real machine everything may take. */
  readonly patience: number;
  /** Time to live of a plan that is to expire: long enough to be followed first. */
  readonly shortTtlMs: number;
  /** How long a case may take, in milliseconds. */
  readonly caseMs: number;
  /** How the host reaches a server on the loopback of the machine that runs the tests. */
  reach(url: string): string;
  /** Boot id, and CLOCK_BOOTTIME in microseconds. */
  clock(): Promise<{ bootId: string; bootTimeUs: number }>;
  defineAndStart(spec: CaseGuestSpec): Promise<CaseGuest>;
  /** Starts a guest that is defined. */
  start(name: string): Promise<CaseGuest>;
  /** A guest that runs, as libvirt tells it now. */
  find(name: string): Promise<CaseGuest>;
  destroy(name: string): Promise<void>;
  virsh(args: readonly string[]): Promise<void>;
  setAffinity(tid: number, cpus: readonly number[]): Promise<void>;
  /** CPU time of a thread, in nanoseconds (/proc/TID/schedstat). */
  cpuTimeNs(tid: number): Promise<number>;
  /** All that a plan may change about these guests, read without any code of the product. */
  kernelState(guests: readonly CaseGuest[]): Promise<KernelState>;
  /** Starts a service; state and run directory are those of `name`, made if missing. */
  startService(
    service: "actuator" | "collector",
    name: string,
    env: Readonly<Record<string, string>>,
    options?: ServiceOptions,
  ): Promise<CaseService>;
  /** Runs the `kvmgov` command on the state of `name`. */
  kvmgov(name: string, args: readonly string[]): Promise<CaseOutput>;
  /** Whether a file of `name`'s state directory is there. */
  hasState(name: string, file: string): Promise<boolean>;
  removeState(name: string, file: string): Promise<void>;
  /** Absent where systemd does not run the host, or no release was made for it. */
  readonly units?: UnitHost | undefined;
  /** Absent where systemd does not run the host. */
  daemonReload?(): Promise<void>;
  /** Absent where the host cannot be rebooted. Cuts the power. */
  reboot?(): Promise<void>;
  stop(): Promise<void>;
}
