/** What is written to the kernel: raw text for one control file, one thread's affinity, or a property of a unit. */
import type { WriteReport } from "@kvm-governor/policy";

export type Setting = WriteReport["setting"];

interface WriteTarget {
  /** `guest`, `vcpu N`, `emulator` or `iothread N`. */
  target: string;
  setting: Setting;
  /** What is read back: an absolute path, or `affinity TID`. */
  key: string;
  /** Value as the kernel prints it, without the newline. */
  text: string;
  /** Takes CPU from its target: not made once a write of this plan that was to give the guest CPU has failed. */
  takes?: true;
}

export type Write = WriteTarget &
  (
    | { op: "file" }
    | { op: "affinity"; tid: number; cpus: readonly number[] }
    /** Moves a thread to another group (`cgroup.threads`): there is no value to read back. `back`: to where it was taken from. */
    | { op: "move"; back?: true }
    /** `systemctl set-property --runtime`, where systemd would undo a write to the file. */
    | { op: "unit"; unit: string; property: string; value: string }
  );

/** Values by key: the text of control files and CPU lists of threads, without the newline. */
export type Values = ReadonlyMap<string, string>;

export const affinityKey = (tid: number): string => `affinity ${tid}`;

/** Thread id of a key, or undefined where it is a file's. */
export function affinityTid(key: string): number | undefined {
  return key.startsWith("affinity ") ? Number(key.slice("affinity ".length)) : undefined;
}
