/** The QEMU process of one test host. */
import type { ChildProcess } from "node:child_process";
import { constants } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { endChild, ended, spawnGuarded, tailOf } from "../../packages/lab/src/process.ts";
import type { Program, Tools } from "../../scripts/lib/toolbox.js";
import type { HostImage } from "./image.ts";
import { topologyArgs, type Topology } from "./topology.ts";

export interface MachineOptions {
  topology: Topology;
  memoryMib: number;
  /** A disk with this repository, labelled `repo`. */
  repository: string;
  /** Whether writes go to the image itself. Default: they are forgotten at the end. */
  keepsWrites?: boolean;
}

/** TCG of QEMU 7.2 is new to AVX, and one Node in twenty crashed with it (measured); five-level paging only costs. */
const CPU = "max,-avx,-avx2,-f16c,-vaes,-vpclmulqdq,-pku,-la57";
/** TCG's processor is an AMD one without the leaf (topoext) from which Linux learns of SMT on those; an Intel one needs none (tried). */
const WITH_SMT = ",vendor=GenuineIntel";
const KERNEL_ARGS =
  "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 mitigations=off tsc=reliable " +
  "random.trust_cpu=on audit=0 panic=-1 net.ifnames=0";
/** Lets everything else on this machine go first. */
const NICE = 19;

export class Machine {
  /** Socket of the guest agent. */
  readonly agentSocket: string;
  readonly #dir: string;
  readonly #child: ChildProcess;
  #said = "";

  private constructor(dir: string, child: ChildProcess) {
    this.#dir = dir;
    this.#child = child;
    this.agentSocket = path.join(dir, "agent");
    child.stderr?.on("data", (chunk) => (this.#said += String(chunk)));
  }

  /** Starts it; its life ends with this process, however that ends. */
  static async start(tools: Tools, image: HostImage, options: MachineOptions): Promise<Machine> {
    const dir = await mkdtemp(path.join(tmpdir(), `kvmgov-v2host-${process.pid}-`));
    const qemu = tools.find("qemu-system-x86_64");
    // Under QEMU's own name every governor on this machine would take it for a guest and hold it.
    const program = path.join(dir, "v2-host");
    await copyFile(qemu.path, program, constants.COPYFILE_FICLONE);
    const base = path.resolve(path.dirname(qemu.path), "../..");
    const env = { ...qemu.env, QEMU_MODULE_DIR: path.join(base, "usr/lib/x86_64-linux-gnu/qemu") };
    const nice: Program = { path: "nice", args: ["-n", String(NICE), program, ...dataDirs(base)], env };
    return new Machine(dir, spawnGuarded(nice, commandLine(dir, image, options)));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Why it does not run any more, with the last it said; undefined while it runs. */
  get problem(): string | undefined {
    if (this.#child.exitCode === null && this.#child.signalCode === null) return undefined;
    return `the test host ended: ${this.#said.trim() || this.console}`;
  }

  /** The end of the console's text. */
  get console(): string {
    return tailOf(path.join(this.#dir, "console.log"), 12);
  }

  /** Waits for the end that the host itself makes. */
  ended(): Promise<void> {
    return ended(this.#child);
  }

  /** Ends it, and removes what it kept. */
  async stop(): Promise<void> {
    await endChild(this.#child, "SIGKILL");
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** Where QEMU finds firmware, when it is not where it was built for. */
const dataDirs = (base: string): string[] =>
  ["usr/share/qemu", "usr/share/seabios"].flatMap((dir) => ["-L", path.join(base, dir)]);

function commandLine(dir: string, image: HostImage, options: MachineOptions): string[] {
  const snapshot = options.keepsWrites === true ? "off" : "on";
  const drive = (file: string, mode: string): string[] => {
    return ["-drive", `file=${file},format=raw,if=virtio,cache=unsafe,${mode}`];
  };
  return [
    ...["-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35"],
    ...[
      "-accel",
      "tcg,thread=multi,tb-size=256",
      "-cpu",
      options.topology.threads > 1 ? CPU + WITH_SMT : CPU,
    ],
    ...topologyArgs(options.topology, options.memoryMib),
    ...["-kernel", image.kernel, "-initrd", image.initrd, "-append", KERNEL_ARGS],
    ...drive(image.disk, `snapshot=${snapshot}`),
    ...drive(options.repository, "readonly=on"),
    ...["-serial", `file:${path.join(dir, "console.log")}`, "-device", "virtio-serial"],
    ...["-chardev", `socket,id=agent,path=${path.join(dir, "agent")},server=on,wait=off`],
    ...["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"],
    ...["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="],
  ];
}
