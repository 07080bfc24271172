/** A /proc and /sys in a temporary directory, with guests whose counters tests move. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Guest } from "../../guests/guest.ts";
import { HostReader } from "../../host/reader.ts";
import { TopologyReader } from "../../topology/topology.ts";
import { SCRATCH_BYTES, type CounterContext } from "../context.ts";
import { DescriptorBudget } from "../descriptors.ts";
import type { Locate } from "../guest-counters.ts";
import { GuestSampler } from "../guest-sampler.ts";
import { HostCounters } from "../host-counters.ts";
import { Sampler, type SamplerOptions } from "../sampler.ts";
import { Sources } from "../sources.ts";

export interface ThreadFigures {
  runNs?: number;
  delayNs?: number;
  voluntary?: number;
  involuntary?: number;
}

export class FakeHost implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "kvmgov-fake-host-"));
  readonly procRoot = join(this.root, "proc");
  readonly sysRoot = join(this.root, "sys");
  /** Both clocks of the sampler, in milliseconds. */
  nowMs = 1000;

  constructor(cpus = 4) {
    const cpuDir = join(this.sysRoot, "devices/system/cpu");
    mkdirSync(cpuDir, { recursive: true });
    writeFileSync(join(cpuDir, "online"), `0-${cpus - 1}\n`);
    mkdirSync(join(this.procRoot, "pressure"), { recursive: true });
    this.setCpuTimes(cpus, { busy: 0, idle: 0 });
    this.setPressureUs(0);
  }

  /** Same times on each CPU, in ticks of 10 ms since boot. */
  setCpuTimes(cpus: number, { busy, idle, steal = 0 }: { busy: number; idle: number; steal?: number }): void {
    const lines = Array.from(
      { length: cpus },
      (_, cpu) => `cpu${cpu} ${busy} 0 0 ${idle} 0 0 0 ${steal} 0 0`,
    );
    writeFileSync(join(this.procRoot, "stat"), `cpu 0 0 0 0\n${lines.join("\n")}\nintr 0\n`);
  }

  setPressureUs(us: number): void {
    const text = `some avg10=0.00 avg60=0.00 avg300=0.00 total=${us}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n`;
    writeFileSync(join(this.procRoot, "pressure/cpu"), text);
  }

  setThread(pid: number, tid: number, figures: ThreadFigures = {}): void {
    const { runNs = 0, delayNs = 0, voluntary = 0, involuntary = 0 } = figures;
    const dir = join(this.procRoot, String(pid), "task", String(tid));
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, "schedstat"), `${runNs} ${delayNs} 7\n`);
    writeFileSync(
      join(dir, "status"),
      `Name:\tCPU 0/KVM\nState:\tS (sleeping)\nvoluntary_ctxt_switches:\t${voluntary}\nnonvoluntary_ctxt_switches:\t${involuntary}\n`,
    );
  }

  removeThread(pid: number, tid: number): void {
    rmSync(join(this.procRoot, String(pid), "task", String(tid)), { recursive: true });
  }

  removeProcess(pid: number): void {
    rmSync(join(this.procRoot, String(pid)), { recursive: true });
  }

  /** Files are opened at each read, so that a removed one is gone at once, as in a real /proc. */
  context(openFilesMax = 0): CounterContext {
    const budget = new DescriptorBudget(openFilesMax, 0);
    return { procRoot: this.procRoot, budget, scratch: Buffer.alloc(SCRATCH_BYTES) };
  }

  sampler(
    context = this.context(),
    locate: Locate = () => undefined,
    memoryOf?: SamplerOptions["memoryOf"],
  ): FakeSampler {
    const nowMs = (): number => this.nowMs;
    const sources = new Sources(nowMs);
    const guests = new GuestSampler({ context, locate, sources, nowMs });
    const hostCounters = new HostCounters(
      new HostReader(this.procRoot),
      new TopologyReader(this.sysRoot),
      sources,
    );
    const clocks = { bootTimeUs: () => this.nowMs * 1000, wallTimeMs: () => 1_700_000_000_000 };
    const sampler = new Sampler({
      host: "h1",
      bootId: "00000000-1111",
      guests,
      hostCounters,
      clocks,
      ...(memoryOf !== undefined && { memoryOf }),
    });
    return { sampler, guests, sources };
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }
}

export interface FakeSampler {
  sampler: Sampler;
  guests: GuestSampler;
  sources: Sources;
}

/** A guest with vCPUs at threads pid+1, pid+2, …, and its main thread as the only other one. */
export function fakeGuest(overrides: Partial<Guest> & { pid: number }, vcpus = 1): Guest {
  const { pid } = overrides;
  return {
    uuid: `00000000-0000-4000-8000-${String(pid).padStart(12, "0")}`,
    name: `guest-${pid}`,
    source: "qemu",
    startTime: 1,
    state: "running",
    vcpus: Array.from({ length: vcpus }, (_, index) => ({ index, tid: pid + 1 + index })),
    ioThreads: [],
    emulatorTids: [pid],
    ...overrides,
  };
}
