/** `kvmgov doctor`: what is missing on this host, and how to get it. Exit code 1 where something fails. */
import type { Check } from "../doctor/check.ts";
import { kernelChecks } from "../doctor/kernel-checks.ts";
import { serverChecks } from "../doctor/server-checks.ts";
import { visible } from "../supervisor/narrator.ts";
import { print } from "./asking.ts";

export interface DoctorFlags {
  url: string;
  json?: boolean;
}

export async function doctor(flags: DoctorFlags): Promise<number> {
  const { env } = process;
  const checks = [
    ...kernelChecks(env["KVMGOV_LIBVIRT_RUN_DIR"] ?? "/run/libvirt/qemu"),
    ...(await serverChecks(env, flags.url)),
  ];
  const isWell = checks.every(({ status }) => status !== "fail");
  print(flags.json === true ? [JSON.stringify({ ok: isWell, checks })] : doctorText(checks));
  return isWell ? 0 : 1;
}

export function doctorText(checks: readonly Check[]): string[] {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, status, reason, remedy }) => [
    `${status.padEnd(4)}  ${name.padEnd(width)}  ${reason}`,
    ...(remedy === undefined ? [] : [`${" ".repeat(width + 8)}-> ${remedy}`]),
  ]);
  const count = (status: Check["status"]): number => checks.filter((check) => check.status === status).length;
  return [
    ...lines,
    "",
    `${count("ok")} ok, ${count("warn")} to look at, ${count("fail")} that keep it from working`,
  ].map(visible);
}
