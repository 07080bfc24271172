/** The `kvmgov` command as a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Libvirt } from "@kvm-governor/lab";

const MAIN = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));

export interface KvmgovPlaces {
  stateDir: string;
  runDir: string;
  libvirt: Libvirt;
}

/** Runs it to its end. @returns exit code, and standard output and error together */
export async function runKvmgov(
  args: readonly string[],
  { stateDir, runDir, libvirt }: KvmgovPlaces,
): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: {
      PATH: process.env["PATH"],
      KVMGOV_STATE_DIR: stateDir,
      KVMGOV_RUN_DIR: runDir,
      KVMGOV_LIBVIRT_RUN_DIR: path.join(libvirt.runDir, "qemu"),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += String(text)));
  await once(child, "close");
  return { code: child.exitCode, output };
}
