/** How a guest is held just now, for the table: read from the kernel, not from plans. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { getAffinity } from "@kvm-governor/linux";
import type { ControllerGroups } from "@kvm-governor/linux";
import { formatCpuList } from "@kvm-governor/policy";
import { groupsOf } from "./control-snapshot.ts";
import type { SnapshotGuest } from "./control-snapshot.ts";

export interface HeldView {
  /** Quota of its vCPUs in cores, `-` without any. */
  quota: string;
  /** Weight against other guests, 1 being usual, or `idle`. */
  weight: string;
  /** CPUs that its vCPUs may run on. */
  cpus: string;
}

/** Finds the groups once; they stay those of the guest while it runs. */
export function heldViewer(guest: SnapshotGuest): () => HeldView {
  const { cpu } = groupsOf(guest);
  return () => ({
    quota: cpu === undefined ? "-" : quotaOf(cpu),
    weight: cpu?.guest === undefined ? "-" : weightOf(cpu.guest, cpu.version),
    cpus: formatCpuList(
      [...new Set(guest.vcpuTids.flatMap((tid) => getAffinity(tid)))].toSorted((a, b) => a - b),
    ),
  });
}

function quotaOf(cpu: ControllerGroups): string {
  const each = [...cpu.vcpus.values()].map((dir) => (cpu.version === 1 ? quotaV1(dir) : quotaV2(dir)));
  const limits = each.filter((value) => value !== undefined);
  if (limits.length === 0) return "-";
  return limits.map((value) => value.toFixed(2)).join("+");
}

function quotaV1(dir: string): number | undefined {
  const quota = Number(read(dir, "cpu.cfs_quota_us"));
  return quota < 0 ? undefined : quota / Number(read(dir, "cpu.cfs_period_us"));
}

function quotaV2(dir: string): number | undefined {
  const [quota, period] = read(dir, "cpu.max").split(" ");
  return quota === "max" ? undefined : Number(quota) / Number(period);
}

function weightOf(dir: string, version: 1 | 2): string {
  if (read(dir, "cpu.idle") === "1") return "idle";
  const weight =
    version === 1 ? Number(read(dir, "cpu.shares")) / 1024 : Number(read(dir, "cpu.weight")) / 100;
  return String(Math.round(weight * 100) / 100);
}

/** `cpu.idle` is there since Linux 5.15. */
function read(dir: string, name: string): string {
  try {
    return readFileSync(path.join(dir, name), "latin1").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && name === "cpu.idle") return "0";
    throw error;
  }
}
