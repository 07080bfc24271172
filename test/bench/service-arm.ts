/** A whole collector process, with discovery, pages and a real bus, that finds stand-ins for guests by itself. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { startNats, type NatsServer } from "@kvm-governor/lab";
import { Readiness, connectBus, createLogger, type Bus } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { ServiceProcess, waitFor } from "../support/service-process.ts";
import { startThreadFarm, type ThreadFarm } from "../support/thread-farm.ts";
import type { Arm, Figures } from "./harness.ts";

/** Processes are dear: each is a Node of its own. */
const VCPUS_A_GUEST = 25;
const MEASURED_MS = 3000;

export interface ServiceArmOptions {
  vcpus: number;
  wakeMs: number;
  /** Runs the stand-ins, see `fakeQemu`. */
  program: string;
  /** For the data of all service arms. */
  dir: string;
}

export class ServiceArm implements Arm {
  readonly name: string;
  /** It finds every stand-in on this machine, also those of another arm. */
  readonly isAlone = true;
  readonly rounds = 5;
  readonly #options: ServiceArmOptions;
  readonly #farms: ThreadFarm[] = [];
  #nats: NatsServer | undefined;
  #bus: Bus | undefined;
  #collector: ServiceProcess | undefined;

  constructor(name: string, options: ServiceArmOptions) {
    this.name = name;
    this.#options = options;
  }

  async setUp(): Promise<void> {
    const { vcpus, wakeMs, program } = this.#options;
    for (let at = 0; at < vcpus / VCPUS_A_GUEST; at++) {
      const args = ["-name", `guest=bench-${vcpus}-${at}`];
      this.#farms.push(
        await startThreadFarm({ threads: VCPUS_A_GUEST, vcpus: VCPUS_A_GUEST, wakeMs, program, args }),
      );
    }
    const dir = join(this.#options.dir, String(vcpus));
    this.#nats = await startNats({ dir });
    this.#bus = manageStreams(this.#nats);
    this.#collector = await ServiceProcess.start("collector", {
      // As the supervisor starts it: a small young generation, and types that are stripped once.
      NODE_OPTIONS: "--max-semi-space-size=2",
      NODE_COMPILE_CACHE: join(this.#options.dir, "compile-cache"),
      KVMGOV_HOST_ID: "bench",
      KVMGOV_NATS_URL: this.#nats.url,
      KVMGOV_NATS_USER: this.#nats.user,
      KVMGOV_NATS_PASSWORD: this.#nats.password,
      KVMGOV_RUN_DIR: dir,
      KVMGOV_LIBVIRT_RUN_DIR: join(dir, "no-libvirt"),
    });
    const collector = this.#collector;
    // There may be more: it finds every guest of this machine.
    await waitFor("the guests of the benchmark", 30_000, async () =>
      ((await collector.metric("kvmgov_collector_guests")) ?? 0) >= this.#farms.length ? true : undefined,
    );
  }

  async measure(): Promise<Figures> {
    const collector = this.#collector;
    if (collector === undefined) throw new Error("not set up");
    const published = await collector.metric("kvmgov_collector_samples_published_total");
    const from = { ms: performance.now(), cpuMs: cpuMsOf(collector.pid) };
    await new Promise((resolve) => setTimeout(resolve, MEASURED_MS));
    const cpuMs = cpuMsOf(collector.pid) - from.cpuMs;
    const elapsedMs = performance.now() - from.ms;
    const scrapeFromMs = performance.now();
    await collector.metrics();
    const scrapeMs = performance.now() - scrapeFromMs;
    const publishedNow = await collector.metric("kvmgov_collector_samples_published_total");
    if (publishedNow === undefined || publishedNow <= (published ?? 0))
      throw new Error("no samples were published");
    return {
      service_cpu_percent_at_1hz: (cpuMs / elapsedMs) * 100,
      service_rss_mb: rssMbOf(collector.pid),
      service_descriptors: readdirSync(`/proc/${collector.pid}/fd`).length,
      scrape_http_ms: scrapeMs,
      guests: (await collector.metric("kvmgov_collector_guests")) ?? 0,
    };
  }

  async tearDown(): Promise<void> {
    await this.#collector?.stop();
    await this.#bus?.close();
    await this.#nats?.server.stop();
    for (const farm of this.#farms) await farm.stop();
  }
}

/** The classifier makes the streams; without them nobody takes samples. */
function manageStreams({ url, user, password }: NatsServer): Bus {
  const log = createLogger("bench", "silent");
  const options = { name: "bench", manage: true, readiness: new Readiness(), registry: new Registry() };
  return connectBus({ url, user, password, log, ...options });
}

/** CPU time of all threads, in milliseconds. Threads do not end here, so that nothing is lost. */
function cpuMsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/task`)
    .map((tid) => Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "latin1").split(" ")[0]) / 1e6)
    .reduce((sum, ms) => sum + ms, 0);
}

function rssMbOf(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return Number(kb) / 1000;
}
