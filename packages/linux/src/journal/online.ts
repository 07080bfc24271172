/**
 * First values on a host with CPUs that went offline since. On v1 the kernel takes such a CPU out of every cpuset, for good, and
 * refuses it when it is written (EINVAL); affinities are told without it (cpu_active_mask in kernel/sched/syscalls.c). v2 keeps what was
 * written, and tells what is left of it elsewhere.
 */
import { dirname } from "node:path";
import { formatCpuList, parseCpuList } from "@kvm-governor/policy";
import { effectiveCpusKey } from "../controls/cpuset.ts";
import { withoutNewline, type ControlIo } from "../controls/kernel-io.ts";
import { affinityTid, type Setting } from "../controls/write.ts";

export interface FirstCpus {
  key: string;
  version: 1 | 2;
  setting: Setting;
  /** Without the newline. */
  text: string;
}

/** The CPUs of a list that are online; all of it where all are. */
export function onlinePart(text: string, online: readonly number[]): string {
  const cpus = parseCpuList(text);
  const there = cpus.filter((cpu) => online.includes(cpu));
  return there.length === cpus.length ? text : formatCpuList(there);
}

/**
 * What a first value reads once it is given back. Where none of its CPUs is online, it is what the kernel itself falls back to: all
 * that are, for a cpuset those of the group above.
 */
export function giveable(value: FirstCpus, online: readonly number[], io: Pick<ControlIo, "read">): string {
  const isCut = value.setting === "affinity" || (value.setting === "cpus" && value.version === 1);
  if (!isCut) return value.text;
  const part = onlinePart(value.text, online);
  if (part !== "" || value.text === "") return part;
  if (affinityTid(value.key) !== undefined) return formatCpuList(online);
  const above = io.read(effectiveCpusKey(1, dirname(dirname(value.key))));
  return above === undefined ? value.text : withoutNewline(above);
}
