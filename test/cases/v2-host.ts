/** cgroup v2 of an emulated host, with the libvirt of its own Debian under systemd. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { guestXml } from "@kvm-governor/lab";
import { parseProcStat } from "@kvm-governor/linux";
import { parseKernelState } from "../v2-host/kernel-state.ts";
import { NODE, NODE_ENV, OUTSIDE, REPO, startV2Host, type V2Host } from "../v2-host/v2-host.ts";
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
} from "./case-host.ts";

const STATE_SCRIPT = "/root/kernel-state.sh";
const CLI = `${REPO}/packages/cli/src/main.ts`;
const IMAGES = "/var/lib/libvirt/images";
const ROM_BYTES = 0x10000;
/** Beside other work on the machine; else some seconds. */
const SERVICE_START_MS_MAX = 600_000;
/** Where a machine starts, in its ROM. */
const RESET_VECTOR = 0xfff0;
const SPIN = [0xeb, 0xfe]; // jmp $
const HALT = [0xfa, 0xf4, 0xeb, 0xfd]; // cli; hlt; and again

export class V2CaseHost implements CaseHost {
  readonly cgroupVersion = 2;
  readonly patience = 30;
  readonly shortTtlMs = 20_000;
  readonly #host: V2Host;
  #units = 0;

  private constructor(host: V2Host) {
    this.#host = host;
  }

  static async start(options: V2HostOptions): Promise<V2CaseHost> {
    const host = await startV2Host(options);
    const made = new V2CaseHost(host);
    await host.put(STATE_SCRIPT, readFileSync(new URL("../v2-host/kernel-state.sh", import.meta.url)));
    return made;
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
    await started.event("listening", SERVICE_START_MS_MAX);
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
