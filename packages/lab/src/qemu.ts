/** A QEMU without libvirt, as Proxmox or a script starts it. */
import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { ask } from "./ask.ts";
import { LabError } from "./errors.ts";
import { type GuestLoad, buildImage } from "./images.ts";
import { endChild, spawnGuarded, until } from "./process.ts";
import { LoadControl } from "./serial.ts";
import { ensureTools } from "./tools.ts";

export interface BareQemuOptions {
  /** The value of `-name`; with `debugThreads` it is `guest=NAME,debug-threads=on`, else NAME alone. Absent: no `-name`. */
  name?: string;
  /** Names the threads (`CPU 0/KVM`). Default true. Off, vCPUs cannot be told from other threads by name. */
  debugThreads?: boolean;
  uuid?: string;
  load?: GuestLoad;
  /** More arguments, for instance Proxmox's `["-id", "100"]`. */
  args?: readonly string[];
  log?: (line: string) => void;
}

export interface BareQemu {
  pid: number;
  /** By vCPU number, as QEMU itself tells them. */
  vcpuTids: readonly number[];
  load: LoadControl;
  stop(): Promise<void>;
}

/** Starts a QEMU whose life ends with this process. Throws LabError with QEMU's message. Needs /dev/kvm. */
export async function startBareQemu(options: BareQemuOptions = {}): Promise<BareQemu> {
  const tools = await ensureTools(["lab"], options.log === undefined ? {} : { log: options.log });
  const dir = await mkdtemp(path.join(tmpdir(), `kvmgov-qemu-${process.pid}-`));
  const rom = path.join(dir, "guest.rom");
  await buildImage(tools.find("nasm"), options.load ?? {}, rom);
  const child = spawnGuarded(tools.find("qemu-system-x86_64"), commandLine(options, dir, rom));
  try {
    const load = await connected(child, path.join(dir, "serial"));
    const vcpuTids = await vcpuThreads(path.join(dir, "qmp"));
    const stop = async (): Promise<void> => {
      load.close();
      await endChild(child);
    };
    return { pid: child.pid ?? 0, vcpuTids, load, stop };
  } catch (error) {
    await endChild(child, "SIGKILL");
    throw error;
  } finally {
    // QEMU has read the image, and open connections need no name: nothing can stay behind, however we end.
    await rm(dir, { recursive: true, force: true });
  }
}

function commandLine(options: BareQemuOptions, dir: string, rom: string): string[] {
  const { name, debugThreads = true } = options;
  const quoted = name?.replaceAll(",", ",,"); // QEMU's own escape in option values
  const naming = debugThreads
    ? [...(quoted === undefined ? [] : [`guest=${quoted}`]), "debug-threads=on"]
    : [quoted];
  const named = naming.filter((part) => part !== undefined).join(",");
  return [
    ...(options.args ?? []),
    ...(named === "" ? [] : ["-name", named]),
    ...(options.uuid === undefined ? [] : ["-uuid", options.uuid]),
    ...["-accel", "kvm", "-cpu", "kvm64,+x2apic", "-smp", String(options.load?.vcpus ?? 1), "-m", "16"],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-bios", rom],
    ...["-serial", `unix:${path.join(dir, "serial")},server=on,wait=off`],
    ...["-qmp", `unix:${path.join(dir, "qmp")},server=on,wait=off`],
  ];
}

async function connected(child: ChildProcess, socket: string): Promise<LoadControl> {
  let said = "";
  child.stderr?.on("data", (chunk) => (said += String(chunk)));
  if (child.stderr instanceof Socket) child.stderr.unref();
  return until("QEMU", 10_000, async () => {
    if (child.exitCode !== null) throw new LabError(`gave up: QEMU ended: ${said.trim()}`);
    return LoadControl.connect(socket, 0);
  });
}

/** QEMU itself says which thread is which vCPU, whatever the threads are called. */
async function vcpuThreads(socket: string): Promise<number[]> {
  const question = '{"execute":"qmp_capabilities"}{"execute":"query-cpus-fast"}';
  const answer = await ask(socket, question, /"return": \[.*\]\}\r\n/);
  const vcpus = [...answer.matchAll(/\{"thread-id": (\d+).*?"cpu-index": (\d+)/g)].map(
    (m) => [Number(m[2]), Number(m[1])] as const,
  );
  if (vcpus.length === 0) throw new LabError(`QEMU named no vCPU thread: ${answer}`);
  return vcpus.toSorted(([a], [b]) => a - b).map(([, tid]) => tid);
}
