/** `kvmgov simulate`: hosts that are not there, on a real bus: for load tests of the control plane. */
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Readiness, connectBus, createLogger } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { natsLogin } from "../nats-login.ts";
import { seededRandom } from "../demo/random.ts";
import { syntheticSeries } from "../simulate/demand.ts";
import type { Series } from "../simulate/demand.ts";
import { SimFleet } from "../simulate/fleet.ts";
import { makeHosts } from "../simulate/make-hosts.ts";
import { readTraces } from "../simulate/traces.ts";

export interface SimulateFlags {
  hosts: string;
  guests: string;
  vcpus: string;
  cpus: string;
  seed: string;
  seconds?: string;
  tCheck: string;
  load: "synthetic" | "traces";
  speed: string;
  json?: boolean;
}

export class SimulateFlagError extends Error {
  override readonly name = "SimulateFlagError";
}

const TRACES_VARIABLE = "KVMGOV_TRACES_DIR";
const REPORT_EVERY_MS = 5000;
const CONNECT_MS_MAX = 10_000;

/** @returns 0; 1 where no plan came, or something failed */
export async function simulate(flags: SimulateFlags): Promise<number> {
  const settings = readFlags(flags);
  const hosts = makeHosts({
    ...settings,
    boot: randomInt(2 ** 32),
    series: seriesOf(flags.load, settings.seed),
  });
  const readiness = new Readiness();
  const bus = openBus(readiness);
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  try {
    await connected(bus, readiness);
    const fleet = new SimFleet({ bus, hosts, periodMs: settings.periodMs });
    fleet.start();
    const startedMs = performance.now();
    const endMs = startedMs + settings.seconds * 1000;
    while (!stop.signal.aborted && performance.now() < endMs) {
      const waitMs = Math.min(REPORT_EVERY_MS, endMs - performance.now());
      await sleep(Math.max(0, waitMs), undefined, { signal: stop.signal }).catch(() => undefined);
      if (flags.json !== true) process.stdout.write(`${line(fleet, performance.now() - startedMs)}\n`);
    }
    await fleet.stop();
    if (flags.json === true)
      process.stdout.write(`${JSON.stringify(outcome(fleet, performance.now() - startedMs))}\n`);
    if (fleet.lastError !== undefined)
      process.stderr.write(`kvmgov: ${fleet.counts.errors} errors, the last: ${fleet.lastError.message}\n`);
    return fleet.counts.plansReceived > 0 && fleet.counts.errors === 0 ? 0 : 1;
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
    await bus.close();
  }
}

function openBus(readiness: Readiness): ReturnType<typeof connectBus> {
  return connectBus({
    ...natsLogin(process.env),
    name: "kvmgov-simulate",
    log: createLogger("simulate", "silent"),
    readiness,
    registry: new Registry(),
  });
}

async function connected(bus: ReturnType<typeof connectBus>, readiness: Readiness): Promise<void> {
  const deadline = performance.now() + CONNECT_MS_MAX;
  while (!bus.up) {
    if (performance.now() > deadline)
      throw new SimulateFlagError(
        `NATS cannot be reached (${readiness.parts()["nats"]?.detail ?? "no answer"}): set KVMGOV_NATS_URL, ` +
          "KVMGOV_NATS_USER, KVMGOV_NATS_PASSWORD and, for TLS, KVMGOV_NATS_TLS",
      );
    await sleep(50);
  }
}

function seriesOf(load: SimulateFlags["load"], seed: number): Series[] {
  if (load === "synthetic") return syntheticSeries(seededRandom(seed));
  const dir = process.env[TRACES_VARIABLE];
  if (dir === undefined || dir === "")
    throw new SimulateFlagError(`--load traces: ${TRACES_VARIABLE} must name the directory of the traces`);
  return readTraces(dir);
}

function line(fleet: SimFleet, ms: number): string {
  const { samplesSent, plansReceived, plansExpired, errors } = fleet.counts;
  const p50 = fleet.latencies.quantile(0.5)?.toFixed(1) ?? "-";
  const p99 = fleet.latencies.quantile(0.99)?.toFixed(1) ?? "-";
  return (
    `${(ms / 1000).toFixed(0)} s: ${samplesSent} samples, ${plansReceived} plans, ${fleet.governed} hosts governed, ` +
    `sample to plan p50 ${p50} ms, p99 ${p99} ms, ${plansExpired} plans expired, ${errors} errors`
  );
}

function outcome(fleet: SimFleet, ms: number): object {
  return {
    seconds: ms / 1000,
    ...fleet.counts,
    governed: fleet.governed,
    sampleToPlanMs: {
      p50: fleet.latencies.quantile(0.5) ?? null,
      p99: fleet.latencies.quantile(0.99) ?? null,
      max: fleet.latencies.mostMs,
      count: fleet.latencies.count,
    },
  };
}

interface Settings {
  hosts: number;
  guests: number;
  vcpus: number;
  cpus: number;
  seed: number;
  seconds: number;
  periodMs: number;
  speed: number;
}

function readFlags(flags: SimulateFlags): Settings {
  return {
    hosts: amount("--hosts", flags.hosts, 1, 100_000),
    guests: amount("--guests", flags.guests, 1, 1000),
    vcpus: amount("--vcpus", flags.vcpus, 1, 256),
    cpus: amount("--cpus", flags.cpus, 1, 4096),
    seed: amount("--seed", flags.seed, 0, 2 ** 31),
    seconds: flags.seconds === undefined ? Infinity : amount("--seconds", flags.seconds, 1, 1e9),
    periodMs: amount("--t-check", flags.tCheck, 50, 3_600_000),
    speed: amount("--speed", flags.speed, 1, 100_000),
  };
}

function amount(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d{1,10}$/.test(text) && value >= least && value <= most) return value;
  throw new SimulateFlagError(
    `${name} must be a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`,
  );
}
