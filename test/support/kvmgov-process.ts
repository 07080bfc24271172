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

export interface KvmgovEnd {
  code: number | null;
  stdout: string;
  /** Standard output and error together. */
  output: string;
}

/** Runs it to its end, on the places of a test host. */
export function runKvmgov(
  args: readonly string[],
  { stateDir, runDir, libvirt }: KvmgovPlaces,
): Promise<KvmgovEnd> {
  return runKvmgovWith(args, {
    KVMGOV_STATE_DIR: stateDir,
    KVMGOV_RUN_DIR: runDir,
    KVMGOV_LIBVIRT_RUN_DIR: path.join(libvirt.runDir, "qemu"),
  });
}

/** Runs it to its end. Its environment is `env` and PATH alone. */
export async function runKvmgovWith(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<KvmgovEnd> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, output] = ["", ""];
  child.stdout.on("data", (text) => {
    stdout += String(text);
    output += String(text);
  });
  child.stderr.on("data", (text) => (output += String(text)));
  await once(child, "close");
  return { code: child.exitCode, stdout, output };
}
