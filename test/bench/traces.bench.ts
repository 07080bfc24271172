/**
 * What tracing costs: a tick of the collector (40 vCPUs, real threads), of the classifier and of the actuator (10 guests x 4 vCPUs), on a
 * real NATS and Redis, without tracing, with every tick sampled, with one in a hundred, and with a receiver that is away. Each arm is a process
 * of its own. CPU time holds the export; wall time is that of a tick alone.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startNats, startRedis } from "@kvm-governor/lab";
import { connectBus, createLogger, Readiness } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { below, runBench, type Aim, type Arm, type Figures, type Lookup } from "./harness.ts";

const CHILD = fileURLToPath(new URL("traces-child.ts", import.meta.url));
const TICKS = 50;
const PARTS = ["collector", "classifier", "actuator"];

if (process.getuid?.() !== 0) throw new Error("needs root: the actuator sets affinities");

/** A part of a tick in four processes, one for each manner; each round runs all of them, and compares them with each other. */
class PartArm implements Arm {
  readonly name: string;
  readonly #manners: Readonly<Record<string, NodeJS.ProcessEnv>>;
  readonly #children = new Map<string, ChildProcess>();
  #rounds = 0;

  constructor(part: string, manners: Readonly<Record<string, NodeJS.ProcessEnv>>) {
    this.name = part;
    this.#manners = manners;
  }

  async setUp(): Promise<void> {
    for (const [manner, env] of Object.entries(this.#manners)) {
      const child = fork(CHILD, [this.name], {
        env: { PATH: process.env["PATH"], BENCH_HOST: `bench-${this.name}-${manner}`, ...env },
        execArgv: ["--max-semi-space-size=2", "--disable-warning=ExperimentalWarning"],
      });
      this.#children.set(manner, child);
      await answer(child);
    }
  }

  async measure(): Promise<Figures> {
    const found: Record<string, Figures> = {};
    // Each round begins with another one.
    const children = [...this.#children];
    const first = this.#rounds++ % children.length;
    for (const [manner, child] of [...children.slice(first), ...children.slice(0, first)]) {
      child.send({ ticks: TICKS });
      found[manner] = await answer(child);
    }
    const { off, ...others } = found;
    const entries = Object.entries(others).flatMap(([manner, figures]) => [
      ...named(manner, figures),
      // Within one round the machine is as busy for one as for the other.
      ...["tick_wall_ms", "tick_cpu_ms"].map(
        (name) => [`${manner}_more_${name}`, (figures[name] ?? NaN) - (off?.[name] ?? NaN)] as const,
      ),
    ]);
    return Object.fromEntries([...named("off", off ?? {}), ...entries]);
  }

  async tearDown(): Promise<void> {
    for (const child of this.#children.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.disconnect();
      await ended;
    }
  }
}

const named = (manner: string, figures: Figures): (readonly [string, number])[] =>
  Object.entries(figures).map(([name, value]) => [`${manner}_${name}`, value] as const);

/** @throws {Error} it ended instead */
async function answer(child: ChildProcess): Promise<Figures> {
  const told = new AbortController();
  const { signal } = told;
  const ended = once(child, "exit", { signal }).then(() => {
    throw new Error(`a part ended: ${child.spawnargs.join(" ")}`);
  });
  // Of the one that lost the race nobody hears any more.
  ended.catch(() => undefined);
  try {
    const [figures] = (await Promise.race([once(child, "message", { signal }), ended])) as [Figures];
    return figures;
  } finally {
    told.abort();
  }
}

/** Takes what it gets and does nothing with it. */
const sink = createServer((request, response) => {
  request.resume().on("end", () => response.end());
});

function aims(figure: Lookup): Aim[] {
  return PARTS.flatMap((part) => [
    below(
      `${part}: every tick sampled, more CPU a tick, ms`,
      0.5,
      figure(part, "all_more_tick_cpu_ms").median,
    ),
    below(`${part}: every tick sampled, longer, ms`, 0.5, figure(part, "all_more_tick_wall_ms").median),
    below(
      `${part}: 1 in 100 sampled, more CPU a tick, ms`,
      0.1,
      figure(part, "hundredth_more_tick_cpu_ms").median,
    ),
    below(`${part}: receiver away, longer, ms`, 0.5, figure(part, "away_more_tick_wall_ms").median),
  ]);
}

const dir = mkdtempSync(join(tmpdir(), "kvmgov-bench-"));
const nats = await startNats({ dir: join(dir, "nats") });
const redis = await startRedis({ dir: join(dir, "redis") });
const readiness = new Readiness();
const streams = connectBus({
  url: nats.url,
  user: nats.user,
  password: nats.password,
  name: "bench",
  manage: true,
  log: createLogger("bench", "silent"),
  readiness,
  registry: new Registry(),
});
try {
  sink.listen(0, "127.0.0.1");
  await once(sink, "listening");
  while (readiness.parts()["streams"]?.ok !== true) await new Promise((resolve) => setTimeout(resolve, 50));
  const servers = {
    BENCH_NATS: nats.url,
    BENCH_NATS_USER: nats.user,
    BENCH_NATS_PASSWORD: nats.password,
    BENCH_REDIS: redis.url,
  };
  const traced = (ratio: number, port: number): NodeJS.ProcessEnv => ({
    ...servers,
    BENCH_RATIO: String(ratio),
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: String(ratio),
    // Everything is exported within its own round.
    OTEL_BSP_SCHEDULE_DELAY: "50",
  });
  const { port } = sink.address() as AddressInfo;
  // Nothing listens on the port of discard.
  const manners = {
    off: servers,
    all: traced(1, port),
    hundredth: traced(0.01, port),
    away: traced(1, 9),
  };
  await runBench({
    name: "traces",
    rounds: 20,
    warmUpRounds: 3,
    arms: PARTS.map((part) => new PartArm(part, manners)),
    aims,
  });
} finally {
  sink.close();
  sink.closeAllConnections();
  await streams.close();
  await nats.server.stop();
  await redis.server.stop();
  rmSync(dir, { recursive: true });
}
