/**
 * A collector and Debian's libvirt exporter beside each other on the same quiet guests. One round is one interval of a
 * Prometheus that scrapes both, half an interval apart, in turns which comes first.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  QUIET,
  startLibvirt,
  startLibvirtExporter,
  startNats,
  type Libvirt,
  type LibvirtExporter,
  type NatsServer,
} from "@kvm-governor/lab";
import { Readiness, connectBus, createLogger, type Bus } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { ServiceProcess, waitFor } from "../support/service-process.ts";
import type { Arm, Figures } from "./harness.ts";
import { cpuOf } from "./process-cost.ts";
import { ScrapeClient, sizeOf } from "./scrape-client.ts";

/** The usual interval of Prometheus, and the collector's own default. */
const INTERVAL_MS = 15_000;
const CHECK_PERIOD_MS = 5000;
/** What a scrape sets in motion is over by then. */
const AFTER_MS = 200;
const STARTED_TOGETHER = 4;

interface Side {
  name: string;
  url: string;
  /** Whose CPU time counts. */
  pids: readonly number[];
  client: ScrapeClient;
}

export class PeerArm implements Arm {
  readonly name: string;
  /** The others would be found as guests, or run beside it. */
  readonly isAlone = true;
  readonly rounds: number;
  readonly #guests: number;
  readonly #dir: string;
  #libvirt: Libvirt | undefined;
  #exporter: LibvirtExporter | undefined;
  #nats: NatsServer | undefined;
  #bus: Bus | undefined;
  #collector: ServiceProcess | undefined;
  #sides: readonly Side[] = [];
  #round = 0;

  /** @param dir for the data of the servers */
  constructor(guests: number, rounds: number, dir: string) {
    this.name = `${guests} guests`;
    this.rounds = rounds;
    this.#guests = guests;
    this.#dir = join(dir, `peers-${guests}`);
  }

  async setUp(): Promise<void> {
    const libvirt = (this.#libvirt = await startLibvirt());
    const names = Array.from({ length: this.#guests }, (_, at) => `quiet-${at}`);
    while (names.length > 0) {
      const some = names.splice(0, STARTED_TOGETHER);
      await Promise.all(some.map((name) => libvirt.defineAndStart({ name, load: QUIET })));
    }
    const exporter = (this.#exporter = await startLibvirtExporter({ dir: this.#dir, libvirt }));
    const nats = (this.#nats = await startNats({ dir: this.#dir }));
    // The classifier makes the streams; without them nobody takes samples.
    const options = { name: "bench", manage: true, readiness: new Readiness(), registry: new Registry() };
    this.#bus = connectBus({ ...nats, log: createLogger("bench", "silent"), ...options });
    const collector = (this.#collector = await this.#startCollector(libvirt, nats));
    await waitFor("the guests of the benchmark", 30_000, async () =>
      ((await collector.metric("kvmgov_collector_guests")) ?? 0) >= this.#guests ? true : undefined,
    );
    this.#sides = [
      {
        name: "collector",
        url: `${collector.url}/metrics`,
        pids: [collector.pid],
        client: new ScrapeClient("gzip"),
      },
      {
        name: "exporter",
        url: exporter.url,
        pids: [exporter.server.pid, await libvirt.daemonPid()],
        client: new ScrapeClient("gzip"),
      },
    ];
  }

  async measure(): Promise<Figures> {
    const published = await this.#published();
    const order = this.#round++ % 2 === 0 ? this.#sides : this.#sides.toReversed();
    const fromMs = performance.now();
    const before = this.#sides.map(({ pids }) => cpuOf(pids));
    const natsBefore = cpuOf([this.#nats?.server.pid ?? 0]);
    const figures: Figures = {};
    for (const [at, side] of order.entries()) {
      await sleep(fromMs + INTERVAL_MS * (at === 0 ? 0.25 : 0.75) - performance.now());
      Object.assign(figures, await scrapeOf(side));
    }
    await sleep(fromMs + INTERVAL_MS - performance.now());
    for (const [at, { name, pids }] of this.#sides.entries())
      figures[`${name}_interval_cpu_ms`] = cpuOf(pids) - (before[at] as number);
    const nats = cpuOf([this.#nats?.server.pid ?? 0]) - natsBefore;
    if ((await this.#published()) - published < Math.floor(INTERVAL_MS / CHECK_PERIOD_MS))
      throw new Error("the collector did not publish its samples");
    const guests = (await this.#collector?.metric("kvmgov_collector_guests")) ?? 0;
    return { ...figures, nats_interval_cpu_ms: nats, guests };
  }

  async tearDown(): Promise<void> {
    for (const { client } of this.#sides) client[Symbol.dispose]();
    await this.#collector?.stop();
    await this.#bus?.close();
    await this.#nats?.server.stop();
    await this.#exporter?.server.stop();
    await this.#libvirt?.stop();
  }

  #startCollector(libvirt: Libvirt, nats: NatsServer): Promise<ServiceProcess> {
    return ServiceProcess.start("collector", {
      // As the supervisor starts it: a small young generation, and types that are stripped once.
      NODE_OPTIONS: "--max-semi-space-size=2",
      NODE_COMPILE_CACHE: join(this.#dir, "compile-cache"),
      KVMGOV_HOST_ID: "bench",
      KVMGOV_NATS_URL: nats.url,
      KVMGOV_NATS_USER: nats.user,
      KVMGOV_NATS_PASSWORD: nats.password,
      KVMGOV_RUN_DIR: this.#dir,
      KVMGOV_LIBVIRT_RUN_DIR: join(libvirt.runDir, "qemu"),
      KVMGOV_CHECK_PERIOD_MS: String(CHECK_PERIOD_MS),
    });
  }

  /** Asked outside of what is measured: it is a scrape, too. */
  async #published(): Promise<number> {
    return (await this.#collector?.metric("kvmgov_collector_samples_published_total")) ?? 0;
  }
}

async function scrapeOf({ name, url, pids, client }: Side): Promise<Figures> {
  const before = cpuOf(pids);
  const { wallMs, body } = await client.scrape(url);
  await sleep(AFTER_MS);
  const cpuMs = cpuOf(pids) - before;
  const { bytes, series } = sizeOf(body);
  return {
    [`${name}_wall_ms`]: wallMs,
    [`${name}_scrape_cpu_ms`]: cpuMs,
    [`${name}_series`]: series,
    [`${name}_bytes`]: bytes,
  };
}
