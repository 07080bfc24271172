/** The guests of the experiment, in a libvirt of their own, sized to the machine. */
import { type Libvirt, startLibvirt } from "@kvm-governor/lab";
import { readTopology, usableCpus } from "@kvm-governor/linux";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Program, ensureTools } from "../../../scripts/lib/toolbox.js";
import { PaperGuestError } from "../guest/errors.ts";
import {
  type Accelerator,
  type PaperGuest,
  checkClock,
  chooseAccelerator,
  startPaperGuest,
} from "../guest/guest.ts";
import { ensureGuestImage } from "../guest/image.ts";
import { SIZES, type SizeName } from "./plan.ts";

export interface ServiceGuest {
  role: "web" | "pc";
  slaCores: number;
  guest: PaperGuest;
}

export interface Stage {
  /** Everything is below it; removed at the end, also when the process is killed. */
  dir: string;
  libvirt: Libvirt;
  accelerator: Accelerator;
  /** Name of the image's version. */
  image: string;
  /** Numbers of the CPUs that guests may use. */
  cpus: readonly number[];
  scientific: PaperGuest;
  services: readonly ServiceGuest[];
  wrk: Program;
}

/** One PC and one web guest for so many CPUs. */
const CPUS_PER_PAIR = 2;
const SCIENTIFIC_VCPUS_MAX = 16;
const MEMORY_MIB = { scientific: 1024, web: 192, pc: 128 } as const;

/** @throws {LabError} {PaperGuestError} {ToolboxError} {KernelError} nothing stays behind */
export async function setStage(log: (line: string) => void, size: SizeName): Promise<Stage> {
  if (process.getuid?.() !== 0) {
    throw new PaperGuestError("the experiment needs root: it starts guests and writes their control groups");
  }
  const wrk = (await ensureTools(["paper"], { log })).find("wrk");
  const image = await ensureGuestImage(log);
  const dir = await mkdtemp(path.join(tmpdir(), "kvmgov-paper-"));
  let libvirt: Libvirt | undefined;
  try {
    await chmod(dir, 0o711); // the governor's servers run as nobody, in directories below
    libvirt = await startLibvirt({ dir, log });
    await mkdir(path.join(dir, "governor"), { mode: 0o755 });
    const accelerator = await chooseAccelerator(libvirt, image);
    const cpus = usableCpus(readTopology());
    log(
      `paper: ${cpus.length} CPUs; guests run under ${accelerator === "kvm" ? "KVM" : "emulation (TCG): KVM boots no Linux here"}`,
    );
    const start = startPaperGuest.bind(undefined, libvirt, image, accelerator);
    const scientific = await start({
      name: "scientific",
      vcpus: Math.min(cpus.length, SCIENTIFIC_VCPUS_MAX),
      memoryMib: MEMORY_MIB.scientific,
    });
    const services: ServiceGuest[] = [];
    for (let pair = 1; pair <= Math.max(1, Math.round(cpus.length / CPUS_PER_PAIR)); pair++) {
      for (const role of ["web", "pc"] as const) {
        const slaCores = SIZES[size].sla[role];
        const guest = await start({
          name: pair === 1 ? role : `${role}-${pair}`,
          vcpus: 1,
          memoryMib: MEMORY_MIB[role],
          policy: { class: "service", slaCores },
          ...(role === "web" ? { webPort: await freePort() } : {}),
        });
        services.push({ role, slaCores, guest });
      }
    }
    await Promise.all([scientific, ...services.map(({ guest }) => guest)].map(checkClock));
    for (const { role, guest } of services) if (role === "web") await startApache(guest);
    return {
      dir,
      libvirt,
      accelerator,
      image: path.basename(path.dirname(image.kernel)),
      cpus,
      scientific,
      services,
      wrk,
    };
  } catch (error) {
    await libvirt?.stop();
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Sets the stage, works on it, and takes it away, whatever happens.
 * @throws AbortError of the signal; whatever could not be started, or `work` threw: nothing stays behind
 */
export async function withStage<T>(
  log: (line: string) => void,
  signal: AbortSignal,
  work: (stage: Stage) => Promise<T>,
  size: SizeName = "usual",
): Promise<T> {
  const stage = await setStage(log, size);
  // What runs in a guest is not waited for: whoever asked hears that the guest is gone.
  const end = (): void => guestsOf(stage).forEach(({ shell }) => shell.close());
  signal.addEventListener("abort", end);
  try {
    signal.throwIfAborted();
    return await work(stage);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", end);
    await clearStage(stage);
  }
}

export async function clearStage(stage: Stage): Promise<void> {
  for (const guest of guestsOf(stage)) guest.shell.close();
  await stage.libvirt.stop();
  await rm(stage.dir, { recursive: true, force: true });
}

export function guestsOf({ scientific, services }: Stage): PaperGuest[] {
  return [scientific, ...services.map(({ guest }) => guest)];
}

const APACHE_MS_MAX = 30_000;

async function startApache(guest: PaperGuest): Promise<void> {
  await guest.shell.run("apache2 -f /etc/httpd.conf -k start");
  const deadline = Date.now() + APACHE_MS_MAX;
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${guest.webPort}/1`).catch((error: unknown) => error);
    if (answer instanceof Response && answer.ok) return void (await answer.arrayBuffer());
    if (Date.now() < deadline) continue;
    const said = await guest.shell.run("tail -n 5 /tmp/error.log");
    throw new PaperGuestError(`${guest.name} does not serve: ${said}`, { cause: answer });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
