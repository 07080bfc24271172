/**
 * What measuring costs: one tick and one scrape at 4 to 1,000 vCPU threads in this process, and a whole collector with
 * discovery, pages and bus beside them.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Declared } from "@kvm-governor/policy";
import type { Guest } from "@kvm-governor/linux";
import { registerGuestFamilies } from "../../services/collector/src/metrics/guest-families.ts";
import type { Measuring } from "../../services/collector/src/measuring.ts";
import { PageRegistry } from "@kvm-governor/service-kit";
import { fakeQemu, startThreadFarm, type ThreadFarm } from "../support/thread-farm.ts";
import { guestsOf, measureHere, threadsFor } from "./farm-guests.ts";
import { groupEach, type BenchGroups } from "./bench-groups.ts";
import { below, runBench, type Arm, type Figures, type Lookup } from "./harness.ts";
import { ServiceArm } from "./service-arm.ts";

const SIZES = [4, 100, 400, 1000];
const LARGEST = 1000;
/** Every thread wakes between two ticks: none is spared a read because it stood still. */
const WAKE_MS = 400;
const BETWEEN_TICKS_MS = 450;
/** As in the collector. */
const SPLIT_MS_MAX = 4;

const nowMs = (): number => performance.now();
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const auto: Declared = { class: "auto" };

async function measured(work: () => unknown): Promise<{ wall: number; cpu: number }> {
  const cpuFrom = process.cpuUsage();
  const from = nowMs();
  await work();
  const wall = nowMs() - from;
  const { user, system } = process.cpuUsage(cpuFrom);
  return { wall, cpu: (user + system) / 1000 };
}

class InProcessArm implements Arm {
  readonly name: string;
  readonly #vcpus: number;
  readonly #splitMsMax: number;
  readonly #farm: () => ThreadFarm;
  readonly #registry = new PageRegistry(nowMs);
  #measuring: Measuring | undefined;
  #guests: Guest[] = [];
  #lastMs = 0;
  #statusReads = 0;

  constructor(name: string, vcpus: number, splitMsMax: number, farm: () => ThreadFarm) {
    this.name = name;
    this.#vcpus = vcpus;
    this.#splitMsMax = splitMsMax;
    this.#farm = farm;
  }

  setUp(): void {
    const measuring = measureHere(nowMs);
    this.#measuring = measuring;
    this.#guests = guestsOf(this.#farm(), this.#vcpus, LARGEST);
    registerGuestFamilies({
      registry: this.#registry,
      guests: () => measuring.guests.last.readable,
      declare: () => auto,
      readSwitchSplit: () => (this.#statusReads = measuring.guests.readSwitchSplit(this.#splitMsMax).read),
      onError: (family, error) => {
        throw new Error(family, { cause: error });
      },
    });
  }

  async measure(): Promise<Figures> {
    const measuring = this.#measuring;
    if (measuring === undefined) throw new Error("not set up");
    await sleep(Math.max(0, this.#lastMs + BETWEEN_TICKS_MS - nowMs()));
    let bytes = 0;
    const tick = await measured(() => {
      const { sample } = measuring.sampler.tick({ guests: this.#guests, unreadable: [] }, () => auto);
      bytes = sample === undefined ? 0 : JSON.stringify(sample).length;
    });
    this.#lastMs = nowMs();
    if (measuring.guests.last.unreadable.length > 0)
      throw new Error("guests of the benchmark cannot be read");
    let bytesOfPage = 0;
    const scrape = await measured(async () => ({ bytes: bytesOfPage } = await this.#registry.page()));
    return {
      tick_wall_ms: tick.wall,
      tick_cpu_ms: tick.cpu,
      tick_cpu_us_a_vcpu: (tick.cpu * 1000) / this.#vcpus,
      scrape_wall_ms: scrape.wall,
      scrape_cpu_ms: scrape.cpu,
      scrape_status_reads: this.#statusReads,
      sample_bytes: bytes,
      page_bytes: bytesOfPage,
      descriptors: measuring.context.budget.used,
      throttling_files: groups?.count === 0 ? 0 : this.#vcpus,
    };
  }

  tearDown(): void {
    this.#measuring?.close();
  }
}

function aims(figure: Lookup): ReturnType<typeof below>[] {
  const median = (arm: string, name: string): number => figure(arm, name).median;
  return [
    below("tick at 400 vCPUs, wall ms", 5, median("400 vCPUs", "tick_wall_ms")),
    below("tick at 400 vCPUs at 1 Hz, % of a core", 1, median("400 vCPUs", "tick_cpu_ms") / 10),
    below(
      "whole collector at 400 vCPUs at 1 Hz, % of a core",
      1,
      median("service, 400 vCPUs", "service_cpu_percent_at_1hz"),
    ),
    below("scrape of 1,000 vCPUs, wall ms", 10, median("1000 vCPUs", "scrape_wall_ms")),
    below(
      "RSS of the whole collector at 1,000 vCPUs, MB",
      150,
      median("service, 1000 vCPUs", "service_rss_mb"),
    ),
    below(
      "CPU a vCPU at 1,000 over that at 100 (linear: 1)",
      1.5,
      median("1000 vCPUs", "tick_cpu_us_a_vcpu") / median("100 vCPUs", "tick_cpu_us_a_vcpu"),
    ),
  ];
}

let groups: BenchGroups | undefined;
const dir = mkdtempSync(join(tmpdir(), "kvmgov-bench-"));
const farm = await startThreadFarm({
  threads: threadsFor(LARGEST),
  wakeMs: WAKE_MS,
});
const qemu = fakeQemu();
try {
  groups = groupEach(farm.tids.slice(0, LARGEST));
  await runBench({
    name: "collector",
    rounds: 12,
    arms: [
      ...SIZES.map((vcpus) => new InProcessArm(`${vcpus} vCPUs`, vcpus, SPLIT_MS_MAX, () => farm)),
      new InProcessArm("1000 vCPUs, scrape without time limit", LARGEST, Infinity, () => farm),
      ...[400, LARGEST].map(
        (vcpus) =>
          new ServiceArm(`service, ${vcpus} vCPUs`, { vcpus, wakeMs: WAKE_MS, program: qemu.program, dir }),
      ),
    ],
    aims,
  });
} finally {
  qemu.remove();
  await farm.stop();
  groups?.remove();
  rmSync(dir, { recursive: true });
}
