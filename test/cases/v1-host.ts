/** cgroup v1 of this machine, with a real libvirt of the lab's. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { startLibvirt, type Guest, type Libvirt } from "@kvm-governor/lab";
import { bootTimeUs, readBootId, setAffinity, startTimeOf, takeOver } from "@kvm-governor/linux";
import { kernelState } from "../support/actuator-bench.ts";
import { ServiceProcess } from "../support/service-process.ts";
import type {
  CaseGuest,
  CaseGuestSpec,
  CaseHost,
  CaseOutput,
  CaseService,
  KernelState,
  ServiceOptions,
} from "./case-host.ts";

const CLI = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));

export class V1CaseHost implements CaseHost {
  readonly cgroupVersion = 1;
  readonly patience = 1;
  readonly shortTtlMs = 2000;
  readonly caseMs = 300_000;
  readonly #libvirt: Libvirt;
  readonly #dir: string;

  private constructor(libvirt: Libvirt, dir: string) {
    this.#libvirt = libvirt;
    this.#dir = dir;
  }

  static async start(): Promise<V1CaseHost> {
    const dir = await mkdtemp(path.join(tmpdir(), `kvmgov-v1case-${process.pid}-`));
    return new V1CaseHost(await startLibvirt(), dir);
  }

  reach(url: string): string {
    return url;
  }

  clock(): Promise<{ bootId: string; bootTimeUs: number }> {
    return Promise.resolve({ bootId: readBootId(), bootTimeUs: bootTimeUs() });
  }

  async defineAndStart({ vcpus = 1, spin = false, ...spec }: CaseGuestSpec): Promise<CaseGuest> {
    return caseGuest(
      await this.#libvirt.defineAndStart({ ...spec, load: { vcpus, percent: spin ? 100 : 0 } }),
    );
  }

  async start(name: string): Promise<CaseGuest> {
    return caseGuest(await this.#libvirt.start(name));
  }

  async find(name: string): Promise<CaseGuest> {
    return caseGuest(await this.#libvirt.find(name));
  }

  destroy(name: string): Promise<void> {
    return this.#libvirt.destroy(name);
  }

  async virsh(args: readonly string[]): Promise<void> {
    await this.#libvirt.virsh(args);
  }

  setAffinity(tid: number, cpus: readonly number[]): Promise<void> {
    return Promise.resolve(setAffinity(tid, cpus));
  }

  cpuTimeNs(tid: number): Promise<number> {
    return Promise.resolve(Number(readFileSync(`/proc/${tid}/schedstat`, "utf8").split(" ")[0]));
  }

  kernelState(guests: readonly CaseGuest[]): Promise<KernelState> {
    const states = guests.map(({ pid }) => {
      const vcpuTids = readdirSync(`/proc/${pid}/task`).map(Number); // groups of all threads, not of the vCPUs alone
      return kernelState({ pid, vcpuTids });
    });
    return Promise.resolve(Object.assign({}, ...states) as KernelState);
  }

  async startService(
    service: "actuator" | "collector",
    name: string,
    env: Readonly<Record<string, string>>,
    { isGuarded = false }: ServiceOptions = {},
  ): Promise<CaseService> {
    const dirs = this.#dirs(name);
    await mkdir(dirs.KVMGOV_STATE_DIR, { recursive: true });
    const started = await ServiceProcess.start(service, { ...dirs, ...env });
    const guard = async (): Promise<void> => {
      if (isGuarded) await takeOver({ stateDir: dirs.KVMGOV_STATE_DIR, runDir: dirs.KVMGOV_RUN_DIR });
    };
    return {
      event: (event, timeoutMs, count) => started.event(event, timeoutMs, count),
      stop: () => started.stop(),
      kill: () => started.kill().then(guard),
    };
  }

  kvmgov(name: string, args: readonly string[]): Promise<CaseOutput> {
    const env = { ...process.env, ...this.#dirs(name) };
    return new Promise((resolve) => {
      execFile(process.execPath, [CLI, ...args], { env }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 128), stdout, stderr });
      });
    });
  }

  hasState(name: string, file: string): Promise<boolean> {
    return Promise.resolve(existsSync(path.join(this.#dir, name, "state", file)));
  }

  removeState(name: string, file: string): Promise<void> {
    return rm(path.join(this.#dir, name, "state", file));
  }

  async stop(): Promise<void> {
    await this.#libvirt.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }

  #dirs(name: string): Record<`KVMGOV_${"STATE" | "RUN" | "LIBVIRT_RUN"}_DIR`, string> {
    return {
      KVMGOV_STATE_DIR: path.join(this.#dir, name, "state"),
      KVMGOV_RUN_DIR: path.join(this.#dir, name, "run"),
      KVMGOV_LIBVIRT_RUN_DIR: path.join(this.#libvirt.runDir, "qemu"),
    };
  }
}

function caseGuest({ name, uuid, pid, vcpuTids }: Guest): CaseGuest {
  return { name, uuid, pid, vcpuTids, startTime: startTimeOf("/proc", pid) ?? 0 };
}
