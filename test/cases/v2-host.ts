/** cgroup v2 of an emulated host, with the libvirt of its own Debian under systemd. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { guestXml } from "@kvm-governor/lab";
import { parseProcStat } from "@kvm-governor/linux";
import { parseKernelState } from "../v2-host/kernel-state.ts";
import { FILES, NODE, NODE_ENV, OUTSIDE, REPO, startV2Host, type V2Host } from "../v2-host/v2-host.ts";
import type { V2HostOptions } from "../v2-host/v2-host.ts";
import { quote, Unit } from "../v2-host/unit.ts";
import type {
  CaseGuest,
  CaseGuestSpec,
  CaseHost,
  CaseOutput,
  CaseService,
  KernelState,
  ServiceOptions,
  UnitHost,
} from "./case-host.ts";

const STATE_SCRIPT = "/root/kernel-state.sh";
const CLI = `${REPO}/packages/cli/src/main.ts`;
const IMAGES = "/var/lib/libvirt/images";
const ROM_BYTES = 0x10000;
/** On a quiet machine: many times what it takes there. */
const SERVICE_START_MS_MAX = 600_000;
const CASE_MS = 900_000;
/** Where units may write. What was parsed once is kept as long as the host is up: parsing takes most of a start there. */
const COMPILE_CACHE = "/run/kvm-governor/compile-cache";
/** Where a machine starts, in its ROM. */
const RESET_VECTOR = 0xfff0;
const SPIN = [0xeb, 0xfe]; // jmp $
const HALT = [0xfa, 0xf4, 0xeb, 0xfd]; // cli; hlt; and again

export class V2CaseHost implements CaseHost {
  readonly cgroupVersion = 2;
  readonly units: UnitHost | undefined;
  readonly #host: V2Host;
  #units = 0;

  private constructor(host: V2Host, archive: string | undefined) {
    this.#host = host;
    this.units = archive === undefined ? undefined : unitHost(host, archive);
  }

  /** @param options.archive of a release, for the cases of its units */
  static async start({ archive, ...options }: V2HostOptions & { archive?: string }): Promise<V2CaseHost> {
    const host = await startV2Host({ ...options, files: archive === undefined ? [] : [archive] });
    const made = new V2CaseHost(host, archive);
    await host.put(STATE_SCRIPT, readFileSync(new URL("../v2-host/kernel-state.sh", import.meta.url)));
    return made;
  }

  get patience(): number {
    return 30 * this.#host.slowness;
  }

  /** No longer than an actuator grants. */
  get shortTtlMs(): number {
    return Math.min(20_000 * this.#host.slowness, 600_000);
  }

  get caseMs(): number {
    return CASE_MS * this.#host.slowness;
  }

  reach(url: string): string {
    return url.replace("127.0.0.1", OUTSIDE);
  }

  async clock(): Promise<{ bootId: string; bootTimeUs: number }> {
    const bootId = (await this.#host.get("/proc/sys/kernel/random/boot_id")).toString().trim();
    const uptime = (await this.#host.get("/proc/uptime")).toString().split(" ")[0];
    return { bootId, bootTimeUs: Math.round(Number(uptime) * 1e6) };
  }

  async defineAndStart(spec: CaseGuestSpec): Promise<CaseGuest> {
    const { name, vcpus = 1, spin = false } = spec;
    const known = await this.#host.run(`virsh domuuid ${quote(name)}`);
    if (known.code === 0) return this.start(name);
    const uuid = randomUUID();
    const rom = Buffer.alloc(ROM_BYTES);
    rom.set(spin ? SPIN : HALT, RESET_VECTOR);
    const files = { uuid, image: `${IMAGES}/${uuid}.rom`, serial: `/var/lib/libvirt/qemu/${uuid}.serial` };
    // TCG of QEMU 7.2 has no x2APIC: the lab's images do not run on it.
    const xml = guestXml({ ...spec, load: { vcpus } }, files)
      .replace("type='kvm'", "type='qemu'")
      .replace("<feature policy='force' name='x2apic'/>", "");
    await this.#host.put(files.image, rom);
    await this.#host.put(`/root/${uuid}.xml`, xml);
    await this.#host.check(`virsh define /root/${uuid}.xml && sync`); // a reboot here is a power cut
    return this.start(name);
  }

  async start(name: string): Promise<CaseGuest> {
    await this.#host.check(`virsh start ${quote(name)}`);
    return this.find(name);
  }

  async find(name: string): Promise<CaseGuest> {
    const status = (await this.#host.get(`/run/libvirt/qemu/${name}.xml`)).toString();
    const pid = Number(/<domstatus [^>]*\bpid='(\d+)'/.exec(status)?.[1]);
    const uuid = /<uuid>([^<]+)</.exec(status)?.[1] ?? "";
    const vcpuTids = [...status.matchAll(/<vcpu id='\d+' pid='(\d+)'/g)].map((match) => Number(match[1]));
    const { startTime } = parseProcStat((await this.#host.get(`/proc/${pid}/stat`)).toString());
    return { name, uuid, pid, startTime, vcpuTids };
  }

  async destroy(name: string): Promise<void> {
    await this.#host.check(`virsh destroy ${quote(name)}`);
  }

  async virsh(args: readonly string[]): Promise<void> {
    await this.#host.check(["virsh", ...args].map(quote).join(" "));
  }

  async setAffinity(tid: number, cpus: readonly number[]): Promise<void> {
    await this.#host.check(`taskset --pid --cpu-list ${cpus.join(",")} ${tid}`);
  }

  async cpuTimeNs(tid: number): Promise<number> {
    return Number((await this.#host.get(`/proc/${tid}/schedstat`)).toString().split(" ")[0]);
  }

  async kernelState(guests: readonly CaseGuest[]): Promise<KernelState> {
    const text = await this.#host.check(`sh ${STATE_SCRIPT} ${guests.map(({ pid }) => pid).join(" ")}`);
    return parseKernelState(text);
  }

  async startService(
    service: "actuator" | "collector",
    name: string,
    env: Readonly<Record<string, string>>,
    { isGuarded = false }: ServiceOptions = {},
  ): Promise<CaseService> {
    const unit = `${name}-${service}-${++this.#units}`;
    const script = `${REPO}/services/${service}/src/main.ts`;
    const all = { KVMGOV_LISTEN: "127.0.0.1:0", ...dirs(name), ...env };
    const after = isGuarded ? `${NODE} ${CLI} restore` : undefined;
    const started = await Unit.start(this.#host, { name: unit, script, env: all, after });
    await started.event("listening", SERVICE_START_MS_MAX * this.#host.slowness);
    return started;
  }

  async kvmgov(name: string, args: readonly string[]): Promise<CaseOutput> {
    const env = Object.entries({ ...NODE_ENV, ...dirs(name) }).map(([key, value]) => `${key}=${value}`);
    const command = ["env", ...env, NODE, CLI, ...args];
    return this.#host.run(command.map(quote).join(" "));
  }

  async hasState(name: string, file: string): Promise<boolean> {
    return (await this.#host.run(`test -e ${dirs(name)["KVMGOV_STATE_DIR"]}/${file}`)).code === 0;
  }

  async removeState(name: string, file: string): Promise<void> {
    await this.#host.check(`rm ${dirs(name)["KVMGOV_STATE_DIR"]}/${file}`);
  }

  async daemonReload(): Promise<void> {
    await this.#host.check("systemctl daemon-reload");
  }

  async reboot(): Promise<void> {
    await this.#host.reboot();
  }

  async stop(): Promise<void> {
    await this.#host.stop();
  }
}

/** The state survives a boot, the rest does not. */
function dirs(name: string): Record<string, string> {
  return { KVMGOV_STATE_DIR: `/var/lib/${name}`, KVMGOV_RUN_DIR: `/run/${name}` };
}

/** @param archive on this machine; the host has it under the same name */
function unitHost(host: V2Host, archive: string): UnitHost {
  return {
    archive: `${FILES}/${path.basename(archive)}`,
    // V8's compilers are what an emulator is slowest at, and Node crashed on them now and then (see NODE_ENV).
    get environment() {
      return { ...host.environment, NODE_OPTIONS: "--jitless" };
    },
    unitEnvironment: { NODE_COMPILE_CACHE: COMPILE_CACHE },
    get slowness() {
      return host.slowness;
    },
    sh: (command, options) => host.check(command, options),
    put: (file, text) => host.put(file, text),
  };
}
