/**
 * One part of a tick in a process of its own, with tracing as its environment says. Told over IPC how many ticks to do; answers with
 * what they took.
 */
import { createLogger } from "@kvm-governor/service-kit";
import { startTracing, stopTracing } from "../../packages/service-kit/src/tracing/start.ts";
import { startPart, type PartName } from "./traced-parts.ts";
import { quantile } from "./statistics.ts";

/** So long after the last tick everything that is to be exported is on its way, and counts as the ticks' work. */
const SETTLE_MS = 150;
const log = createLogger("bench", "silent");
const { env } = process;
const given = (name: string): string => env[name] ?? "";

const running = await startTracing({ service: "bench", version: "0", env, log });
const part = await startPart(process.argv[2] as PartName, {
  nats: { url: given("BENCH_NATS"), user: given("BENCH_NATS_USER"), password: given("BENCH_NATS_PASSWORD") },
  redis: given("BENCH_REDIS"),
  tracing: running.tracing,
  ratio: env["BENCH_RATIO"] === undefined ? undefined : Number(env["BENCH_RATIO"]),
  host: given("BENCH_HOST"),
});

async function round(ticks: number): Promise<Record<string, number>> {
  const cpuFrom = process.cpuUsage();
  const took: number[] = [];
  for (let tick = 0; tick < ticks; tick++) {
    const from = performance.now();
    await part.tick();
    took.push(performance.now() - from);
    // Timers and sockets have their turn, as between two ticks of a service.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const { user, system } = process.cpuUsage(cpuFrom);
  const { exported, failed, queueFull } = await running.counts();
  return {
    tick_wall_ms: quantile(
      took.toSorted((a, b) => a - b),
      0.5,
    ),
    tick_cpu_ms: (user + system) / 1000 / ticks,
    rss_mb: process.memoryUsage.rss() / 1e6,
    spans_sent: exported,
    spans_lost: failed + queueFull,
  };
}

process.on("message", ({ ticks }: { ticks: number }) => {
  round(ticks).then(
    (figures) => process.send?.(figures),
    (error: unknown) => {
      process.stderr.write(`${(error as Error).stack}\n`);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => {
  void part.stop().then(async () => {
    await stopTracing(running, 500, log);
    process.exit();
  });
});
process.send?.({ ready: 1 });
