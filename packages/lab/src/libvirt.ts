/**
 * A libvirt of our own: its daemon, directories, mounts and control groups belong to one instance, and end with
 * it. A libvirt that runs on the machine is neither seen nor touched. Needs root and /dev/kvm.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { LabError } from "./errors.ts";
import { type GuestSpec, guestXml } from "./guest-xml.ts";
import { buildImage } from "./images.ts";
import { type Output, type Program, ended, run, tailOf, until } from "./process.ts";
import { LoadControl } from "./serial.ts";
import { type Tools, ensureTools, toolboxRoot } from "./tools.ts";

export interface LibvirtOptions {
  /** The instance's directory; made if missing, removed at the end. Default: a new one in the system's temporary directory. */
  dir?: string;
  /** A command in front of all that it starts, for namespaces that it shall live in: `nsenter …`. Default: none. */
  enter?: readonly string[];
  /** Gets progress lines (first run: downloads). */
  log?: (line: string) => void;
}

/** A running guest. */
export interface Guest {
  name: string;
  uuid: string;
  /** Of the QEMU process. */
  pid: number;
  /** Thread ids of the vCPUs, by vCPU number. */
  vcpuTids: readonly number[];
  /** Steers the load and reports the work done. */
  load: LoadControl;
}

const KEEPER = fileURLToPath(new URL("libvirt-keeper.sh", import.meta.url));
const START_TIMEOUT_MS = 60_000;

const QEMU_CONF = `user = "root"
group = "root"
remember_owner = 0
stdio_handler = "file"
security_driver = "none"
namespaces = []
`;
/** An id of its own: guests migrate between two instances of one process as between two machines. */
const libvirtdConf = (): string => `auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_group = "root"
log_outputs = "3:stderr"
host_uuid = "${randomUUID()}"
`;

/** Starts a libvirt. Throws LabError when it does not come up, ToolboxError when its programs cannot be had. */
export async function startLibvirt(options: LibvirtOptions = {}): Promise<Libvirt> {
  const tools = await ensureTools(["lab"], options.log === undefined ? {} : { log: options.log });
  const dir = options.dir ?? (await mkdtemp(path.join(tmpdir(), `kvmgov-lab-${process.pid}-`)));
  await layOut(dir);
  const keeper = startKeeper(dir, tools.trees, options.enter ?? []);
  const libvirt = new Libvirt(dir, keeper, tools);
  try {
    await libvirt.ready();
  } catch (error) {
    await libvirt.stop();
    throw error;
  }
  await keepCapabilities(dir);
  return libvirt;
}

export class Libvirt {
  /** Status files are at `<runDir>/qemu/NAME.xml`: what the machine's own libvirt has in /run/libvirt. */
  readonly runDir: string;
  /** The name of the instance's group in every cgroup hierarchy; its guests are below it. */
  readonly cgroup: string;
  readonly #dir: string;
  readonly #keeper: ChildProcess;
  readonly #tools: Tools;
  readonly #virsh: Program;
  readonly #guests = new Map<string, Guest>();

  constructor(dir: string, keeper: ChildProcess, tools: Tools) {
    this.#dir = dir;
    this.#keeper = keeper;
    this.#tools = tools;
    this.#virsh = tools.find("virsh");
    this.runDir = path.join(dir, "run/libvirt");
    this.cgroup = cgroupOf(dir);
  }

  /** How clients of libvirt reach this instance. */
  get uri(): string {
    return `qemu+unix:///system?socket=${encodeURIComponent(path.join(this.runDir, "libvirt-sock"))}`;
  }

  /** Process id of the daemon. */
  async daemonPid(): Promise<number> {
    return Number(await readFile(path.join(this.#dir, "run/libvirtd.pid"), "utf8"));
  }

  /** Waits until the daemon answers. */
  async ready(): Promise<void> {
    await until(`libvirtd in ${this.#dir}`, START_TIMEOUT_MS, async () => {
      if (!existsSync(path.join(this.runDir, "libvirt-sock"))) {
        if (existsSync(this.#dir)) return undefined;
        throw new LabError("gave up: the instance ended");
      }
      return this.virsh(["version"]);
    }).catch((error: unknown) => {
      throw new LabError(`libvirt did not start: ${tailOf(path.join(this.#dir, "log/daemon.log"))}`, {
        cause: error,
      });
    });
  }

  /** Runs virsh against this instance. Throws LabError with its message when it fails. */
  virsh(args: readonly string[]): Promise<Output> {
    return run(this.#virsh, ["--connect", this.uri, "--quiet", ...args]);
  }

  /** Defines and starts a guest. */
  async defineAndStart(spec: GuestSpec): Promise<Guest> {
    const uuid = spec.uuid ?? randomUUID();
    const files = {
      uuid,
      image: `/var/lib/libvirt/images/${uuid}.rom`,
      serial: `/var/lib/libvirt/serial/${uuid}`,
    };
    await buildImage(
      this.#tools.find("nasm"),
      spec.load ?? {},
      path.join(this.#dir, `lib/images/${uuid}.rom`),
    );
    const xml = path.join(this.#dir, `${uuid}.xml`);
    await writeFile(xml, guestXml(spec, files));
    await this.virsh(["define", xml]);
    await this.virsh(["start", uuid]);
    return this.#adopt(spec.name, uuid);
  }

  /** Makes ready for a guest that is about to come by migration: the file that it starts from must be there. */
  async expect(spec: GuestSpec & { uuid: string }): Promise<void> {
    const file = path.join(this.#dir, `lib/images/${spec.uuid}.rom`);
    await buildImage(this.#tools.find("nasm"), spec.load ?? {}, file);
  }

  /** A guest that came by migration. */
  arrived(name: string, uuid: string): Promise<Guest> {
    return this.#adopt(name, uuid);
  }

  /** A guest went away by migration: nothing of it is here any more. */
  departed(name: string): void {
    this.#guests.get(name)?.load.close();
    this.#guests.delete(name);
  }

  /** Starts a guest that is defined. */
  async start(name: string): Promise<Guest> {
    await this.virsh(["start", name]);
    return this.#adopt(name, (await this.virsh(["domuuid", name])).stdout.trim());
  }

  /** A guest that was started here, with its threads as they are now. Throws LabError where there is none. */
  async find(name: string): Promise<Guest> {
    const known = this.#guests.get(name);
    if (known === undefined) throw new LabError(`no guest ${name} was started here`);
    const guest = { ...known, ...threadsOf(await this.#status(name)) };
    this.#guests.set(name, guest);
    return guest;
  }

  #status(name: string): Promise<string> {
    return readFile(path.join(this.runDir, "qemu", `${name}.xml`), "utf8");
  }

  async #adopt(name: string, uuid: string): Promise<Guest> {
    const status = await this.#status(name);
    const load = await LoadControl.connect(path.join(this.#dir, `lib/serial/${uuid}`));
    const guest = { name, uuid, ...threadsOf(status), load };
    this.#guests.set(name, guest);
    return guest;
  }

  /** Stops a guest as if its power was cut. It stays defined: `start` starts it again. */
  async destroy(name: string): Promise<void> {
    this.#guests.get(name)?.load.close();
    this.#guests.delete(name);
    await this.virsh(["destroy", name]);
  }

  /** Ends the guests and the daemon, and removes groups and directory. May be called twice. */
  async stop(): Promise<void> {
    for (const guest of this.#guests.values()) guest.load.close();
    this.#guests.clear();
    const gone = ended(this.#keeper);
    this.#keeper.ref();
    this.#keeper.stdin?.end();
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Process and thread ids in a libvirt status file. */
export function threadsOf(status: string): { pid: number; vcpuTids: number[] } {
  const pid = /<domstatus [^>]*\bpid='(\d+)'/.exec(status)?.[1];
  if (pid === undefined) throw new LabError("the status file names no process");
  const vcpus = [...status.matchAll(/<vcpu id='(\d+)' pid='(\d+)'/g)].map((match) => [
    Number(match[1]),
    Number(match[2]),
  ]);
  return {
    pid: Number(pid),
    vcpuTids: vcpus.toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0)).map((vcpu) => vcpu[1] ?? 0),
  };
}

async function layOut(dir: string): Promise<void> {
  for (const name of ["etc", "lib/images", "lib/serial", "cache/qemu", "log", "run"]) {
    await mkdir(path.join(dir, name), { recursive: true });
  }
  await writeFile(path.join(dir, "etc/qemu.conf"), QEMU_CONF);
  await writeFile(path.join(dir, "etc/libvirtd.conf"), libvirtdConf());
  if (existsSync(capabilitiesCache())) {
    await cp(capabilitiesCache(), path.join(dir, "cache/qemu/capabilities"), {
      recursive: true,
      preserveTimestamps: true,
    });
  }
}

/** Asking QEMU what it can do takes 8 s; libvirt believes what it wrote down as long as QEMU is the same file. */
async function keepCapabilities(dir: string): Promise<void> {
  const found = path.join(dir, "cache/qemu/capabilities");
  if (existsSync(capabilitiesCache()) || !existsSync(found)) return;
  const copy = await mkdtemp(`${capabilitiesCache()}.tmp-`);
  await cp(found, copy, { recursive: true, preserveTimestamps: true });
  // Another instance may have been first: its copy is as good.
  await rename(copy, capabilitiesCache()).catch(() => rm(copy, { recursive: true, force: true }));
}

function capabilitiesCache(): string {
  return path.join(toolboxRoot(), "libvirt-capabilities");
}

/** The owner's pid is in the name: whoever finds the group can tell whose it is. */
function cgroupOf(dir: string): string {
  const own = `kvmgov-lab-${process.pid}-`;
  const name = path.basename(dir).replaceAll(/[^\w.-]/g, "_");
  return name.startsWith(own) ? name : `${own}${name}`;
}

function startKeeper(dir: string, trees: readonly string[], enter: readonly string[]): ChildProcess {
  // Its own session: Ctrl-C in the terminal must not reach guests that an orderly end still needs.
  const [program, ...args] = [...enter, "sh", KEEPER, dir, cgroupOf(dir), trees.join(":")];
  const keeper = spawn(program, args, {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  keeper.unref();
  if (keeper.stdin instanceof Socket) keeper.stdin.unref();
  return keeper;
}
