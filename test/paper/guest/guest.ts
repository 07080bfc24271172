/** A Linux guest of the paper's experiment in the lab's libvirt: so collector and actuator see what they see on a host. */
import { POLICY_NAMESPACE, escapeXml, type Libvirt } from "@kvm-governor/lab";
import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { threadsOf } from "../../../packages/lab/src/libvirt.ts";
import { PaperGuestError } from "./errors.ts";
import type { GuestImage } from "./image.ts";
import { GuestShell } from "./shell.ts";

/** `kvm` where it can boot a Linux, else QEMU's emulation (`tcg`): the same threads and groups, slower. */
export type Accelerator = "kvm" | "tcg";

export interface PaperGuestSpec {
  name: string;
  vcpus: number;
  memoryMib: number;
  /** Port of the host's loopback that leads to the guest's port 80. */
  webPort?: number;
  /** What the guest declares to kvm-governor, as attributes of its metadata. */
  policy?: Readonly<Record<string, string | number>>;
}

export interface PaperGuest extends PaperGuestSpec {
  uuid: string;
  pid: number;
  /** By vCPU number. */
  vcpuTids: readonly number[];
  shell: GuestShell;
}

const BOOT_MS_MAX = 60_000;
/** A Linux under a KVM that can boot it is up in a second or two. */
const KVM_BOOT_MS_MAX = 8000;
/** Emulation does not do AVX well (QEMU 7.2), and nothing here needs it. */
const CPU_XML = {
  kvm: "<cpu mode='host-passthrough' check='none'/>",
  tcg: "<cpu mode='custom' match='exact' check='none'><model fallback='allow'>Nehalem</model></cpu>",
};
const KERNEL_ARGS =
  "rdinit=/init console=ttyS0 quiet mitigations=off tsc=reliable random.trust_cpu=on panic=-1 net.ifnames=0";

/** Starts a guest and waits until it takes commands. @throws {PaperGuestError} {LabError} */
export async function startPaperGuest(
  libvirt: Libvirt,
  image: GuestImage,
  accelerator: Accelerator,
  spec: PaperGuestSpec,
  bootMsMax = BOOT_MS_MAX,
): Promise<PaperGuest> {
  const uuid = randomUUID();
  const dir = path.resolve(libvirt.runDir, "../..");
  const socket = path.join(dir, "lib/serial", uuid);
  const file = path.join(dir, `${uuid}.xml`);
  await writeFile(file, paperGuestXml(spec, { uuid, socket, image, accelerator }));
  await libvirt.virsh(["define", file]);
  await libvirt.virsh(["start", uuid]);
  const shell = new GuestShell(socket);
  await shell.synchronize(bootMsMax);
  const { pid, vcpuTids } = threadsOf(
    await readFile(path.join(libvirt.runDir, "qemu", `${spec.name}.xml`), "utf8"),
  );
  if (vcpuTids.length !== spec.vcpus || new Set(vcpuTids).size !== spec.vcpus) {
    throw new PaperGuestError(
      `${spec.name}: libvirt names the threads ${vcpuTids.join(", ")} for ${spec.vcpus} vCPUs`,
    );
  }
  return { ...spec, uuid, pid, vcpuTids, shell };
}

const CLOCK_MS = 2000;
const CLOCK_ERROR_MAX = 0.03;

/**
 * A guest that boots on a busy machine can measure its clock wrongly, and would time everything wrongly from then on.
 * @throws {PaperGuestError} its clock surely runs at another pace than the host's
 */
export async function checkClock({ name, shell }: PaperGuest): Promise<void> {
  const read = async (): Promise<{ guestMs: number; fromMs: number; toMs: number }> => {
    const fromMs = performance.now();
    const uptime = await shell.run("cat /proc/uptime");
    return { guestMs: 1000 * parseFloat(uptime), fromMs, toMs: performance.now() };
  };
  const first = await read();
  await sleep(CLOCK_MS);
  const { least, most } = paceBetween(first, await read());
  if (least > 1 + CLOCK_ERROR_MAX || most < 1 - CLOCK_ERROR_MAX) {
    const pace = `between ${least.toFixed(2)} and ${most.toFixed(2)}`;
    throw new PaperGuestError(
      `the clock of guest ${name} runs ${pace} times as fast as the host's: start again`,
    );
  }
}

interface ClockReading {
  guestMs: number;
  /** Of the host's clock, before it was asked for and after it came. */
  fromMs: number;
  toMs: number;
}

/** Seconds of the guest in one of the host: what is possible, since the guest's clock was read at any time in between. */
export function paceBetween(first: ClockReading, second: ClockReading): { least: number; most: number } {
  const guestMs = second.guestMs - first.guestMs;
  const resolutionMs = 10; // of /proc/uptime
  return {
    least: (guestMs - resolutionMs) / (second.toMs - first.fromMs),
    most: (guestMs + resolutionMs) / Math.max(1, second.fromMs - first.toMs),
  };
}

/** Whether this machine's KVM boots a Linux: tried, not guessed. Takes up to 8 s. */
export async function chooseAccelerator(libvirt: Libvirt, image: GuestImage): Promise<Accelerator> {
  const name = "probe";
  try {
    const probe = await startPaperGuest(
      libvirt,
      image,
      "kvm",
      { name, vcpus: 2, memoryMib: 128 },
      KVM_BOOT_MS_MAX,
    );
    probe.shell.close();
    return "kvm";
  } catch {
    return "tcg"; // for whatever reason: emulation needs nothing of the machine
  } finally {
    await libvirt.virsh(["destroy", name]).catch(() => undefined); // it may have ended by itself
    await libvirt.virsh(["undefine", name]).catch(() => undefined); // or libvirt refused it
  }
}

interface GuestPlace {
  uuid: string;
  /** Unix socket of the virtio serial port. */
  socket: string;
  image: GuestImage;
  accelerator: Accelerator;
}

export function paperGuestXml(spec: PaperGuestSpec, place: GuestPlace): string {
  const { uuid, socket, image, accelerator } = place;
  const type = accelerator === "kvm" ? "kvm" : "qemu";
  return `<domain type='${type}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>${escapeXml(spec.name)}</name>
  <uuid>${uuid}</uuid>
  ${metadata(spec.policy)}
  <memory unit='MiB'>${spec.memoryMib}</memory>
  <vcpu>${spec.vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>${escapeXml(image.kernel)}</kernel>
    <initrd>${escapeXml(image.initrd)}</initrd>
    <cmdline>${escapeXml(KERNEL_ARGS)}</cmdline>
  </os>
  <features><acpi/><apic/></features>
  ${CPU_XML[accelerator]}
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <serial type='file'><source path='${escapeXml(`${socket}.console`)}'/><target port='0'/></serial>
    <controller type='virtio-serial' index='0'/>
    <channel type='unix'><source mode='bind' path='${escapeXml(socket)}'/><target type='virtio' name='shell'/></channel>
    <memballoon model='none'/>
  </devices>
  ${network(spec.webPort)}
</domain>
`;
}

function metadata(policy: PaperGuestSpec["policy"] = {}): string {
  const attributes = Object.entries(policy).map(([name, value]) => ` ${name}="${escapeXml(String(value))}"`);
  if (attributes.length === 0) return "";
  return `<metadata><kvmgov:policy xmlns:kvmgov="${POLICY_NAMESPACE}"${attributes.join("")}/></metadata>`;
}

/** QEMU's own user network, which needs nothing of the host; libvirt cannot forward ports to it. */
function network(webPort: number | undefined): string {
  const forward = webPort === undefined ? "" : `,hostfwd=tcp:127.0.0.1:${webPort}-:80`;
  const args = [
    "-netdev",
    `user,id=net,restrict=on${forward}`,
    "-device",
    "virtio-net-pci,netdev=net,romfile=,addr=0x10",
  ];
  return `<qemu:commandline>${args.map((arg) => `<qemu:arg value='${escapeXml(arg)}'/>`).join("")}</qemu:commandline>`;
}
