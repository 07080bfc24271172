/**
 * Some simulated hosts as a process: collectors' publishers and actuators' inboxes are the real ones, kernels and guests are
 * simulated. Argument: {@link GroupOptions} as JSON. Tells its parent what was sent, what came and what was made of it. Publishes
 * some samples twice and some again when they are old, as a bus that repeats and delays would.
 */
import type { Sample } from "@kvm-governor/policy";
import { Readiness, connectBus, createLogger } from "@kvm-governor/service-kit";
import type { PlanEntry } from "@kvm-governor/service-kit";
import { planSchema } from "@kvm-governor/policy";
import { Registry } from "prom-client";
import type { Series } from "../../packages/cli/src/simulate/demand.ts";
import { makeHosts } from "../../packages/cli/src/simulate/make-hosts.ts";
import type { SimHost } from "../../packages/cli/src/simulate/sim-host.ts";
import { PlanInbox } from "../../services/actuator/src/plan-inbox.ts";
import { SamplePublisher } from "../../services/collector/src/sample-publisher.ts";
import { Seeded } from "../support/seeded.ts";
import { outOfBounds } from "./bounds.ts";
import type { GroupOptions, HostMessage, SeenGuests, Wants } from "./messages.ts";

const BOOTED_US = 600_000_000;
const ANNOUNCE_EVERY = 10;
const TWICE_PART = 0.15;
const LATE_PART = 0.1;
const LATE_MS_MAX = 3000;
const REMEMBERED = 5;
const SERIES = 24;
const SERIES_SECONDS = 600;
const PHASE_SECONDS_MIN = 5;
const PHASE_SECONDS_MAX = 16;

const options = JSON.parse(process.argv[2] ?? "") as GroupOptions;
const startedMs = performance.now();
const nowUs = (): number => BOOTED_US + Math.floor((performance.now() - startedMs) * 1000);
const random = new Seeded(options.seed + (options.own[0] ?? 0));
const tell = (message: HostMessage): void => {
  if (process.connected) process.send?.(message);
};
const told = (error: unknown): void => tell({ kind: "failed", text: String(error) });
process.on("disconnect", () => process.exit(0));

const bus = connectBus({
  url: options.natsUrl,
  user: "lab",
  password: options.password,
  name: "chaos-hosts",
  log: createLogger("chaos-hosts", "silent"),
  readiness: new Readiness(),
  registry: new Registry(),
});

/** Guests that want everything or next to nothing, for some seconds each: nobody can argue about what crosses alpha. */
function series(): Series[] {
  const choices = new Seeded(options.seed);
  return Array.from({ length: SERIES }, (_, n) => {
    const values: number[] = [];
    for (let isBusy = choices.next() < 0.5; values.length < SERIES_SECONDS; isBusy = !isBusy) {
      const seconds = Math.floor(choices.between(PHASE_SECONDS_MIN, PHASE_SECONDS_MAX));
      values.push(...Array.from({ length: seconds }, () => (isBusy ? 1 : 0.02)));
    }
    return { name: `phases-${n}`, intervalMs: 1000, values: Float32Array.from(values), shape: "even" };
  });
}

function wantsOf(sample: Sample): Wants {
  return Object.fromEntries(
    sample.guests.map(({ uuid, name, vcpus }) => {
      const wanted = vcpus.map(({ run, delay }) => run + delay);
      if (wanted.every((part) => part > 0.95)) return [uuid, "all"];
      if (wanted.every((part) => part < 0.3)) return [uuid, "little"];
      throw new RangeError(`guest ${name} wants ${wanted.join(", ")}: neither all nor little`);
    }),
  );
}

/** One host: samples once a period, follows its plans. */
class ChaosHost {
  readonly #host: SimHost;
  readonly #inbox = new PlanInbox();
  readonly #publisher: SamplePublisher;
  readonly #stored: Sample[] = [];
  #ticks = 0;

  constructor(host: SimHost) {
    this.#host = host;
    this.#publisher = new SamplePublisher({
      bus,
      nowMs: () => performance.now(),
      periodMs: options.periodMs,
      onPublished: (sample) => this.#published(sample),
      // Nobody can tell whether one that failed is in the stream: it stays unsettled.
      onDropped: () => undefined,
    });
    void bus.plans.watch(host.id, new AbortController().signal, (entry) => this.#onPlan(entry), told);
  }

  tick(): void {
    const sampledUs = nowUs();
    if (this.#host.expire(sampledUs)) tell({ kind: "expired", host: this.#host.id });
    if (this.#ticks++ % ANNOUNCE_EVERY === 0)
      bus.publish("host", this.#host.id, this.#host.announcement(Date.now())).catch(told);
    const elapsedMs = performance.now() - startedMs;
    const sample = this.#host.sample(elapsedMs, sampledUs, Date.now(), options.periodMs);
    tell({ kind: "sampled", host: this.#host.id, sequence: sample.sequence, wants: wantsOf(sample) });
    this.#publisher.offer(sample);
  }

  #published(sample: Sample): void {
    tell({ kind: "stored", host: this.#host.id, sequence: sample.sequence });
    this.#stored.push(sample);
    if (this.#stored.length > REMEMBERED) this.#stored.shift();
    if (random.next() < TWICE_PART) this.#again(sample);
    if (random.next() < LATE_PART) {
      const old = random.pick(this.#stored);
      setTimeout(() => this.#again(old), random.between(0, LATE_MS_MAX)).unref();
    }
  }

  #again(sample: Sample): void {
    tell({ kind: "repeated", host: this.#host.id, sequence: sample.sequence });
    bus.publish("sample", this.#host.id, sample).catch(told);
  }

  #onPlan({ data }: PlanEntry): void {
    const context = {
      host: this.#host.id,
      bootId: this.#host.bootId,
      nowUs: nowUs(),
      planTtlMsMax: options.planTtlMs,
    };
    const { result } = this.#inbox.put(data, context);
    const plan = planSchema.parse(JSON.parse(new TextDecoder().decode(data)));
    if (result === "accepted") {
      this.#inbox.take();
      this.#host.obey(plan, nowUs(), () => plan);
      bus.publish("applied", this.#host.id, this.#host.applied(nowUs())).catch(told);
    }
    const guests: SeenGuests = Object.fromEntries(
      plan.guests.map(({ uuid, class: list, count }) => [uuid, { class: list, count }]),
    );
    const held = plan.guests.map(({ uuid, vcpus, weight, emulatorCpus, ioThreadCpus, periodUs }) =>
      JSON.stringify([uuid, vcpus, weight, emulatorCpus, ioThreadCpus, periodUs]),
    );
    const { generation, sequence } = plan;
    tell({
      kind: "plan",
      host: this.#host.id,
      plan: {
        generation,
        sequence,
        guests,
        verdict: result,
        held: held.toSorted().join(),
        outOfBounds: outOfBounds(plan, options.cpus, options.minimumVcpuCores),
      },
    });
  }
}

const { own, hosts: count, guests, vcpus, cpus, seed, periodMs } = options;
const all = makeHosts({ hosts: count, guests, vcpus, cpus, seed, speed: 1, series: series(), boot: seed });
const hosts = all.filter((_, n) => own.includes(n)).map((host) => new ChaosHost(host));
for (const [n, host] of hosts.entries()) {
  const phaseMs = ((own[n] ?? 0) * periodMs) / count;
  setTimeout(() => {
    host.tick();
    setInterval(() => host.tick(), periodMs);
  }, phaseMs);
}
