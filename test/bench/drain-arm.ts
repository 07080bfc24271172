/**
 * The most that one classifier does: it stands still while samples are published, then works off what waits, while nobody publishes
 * anything. So the load costs no CPU at the time that is measured.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { readPlanHead } from "../../packages/cli/src/simulate/plan-head.ts";
import { ClassifierArm, rssMbOf } from "./classifier-arm.ts";
import type { Figures } from "./harness.ts";

const SAMPLES = 900;
/** The stream keeps 64 of a host. */
const SAMPLES_A_HOST_MAX = 60;
const LIMIT_MS = 300_000;
const SENT_AT_ONCE = 50;

export class DrainArm extends ClassifierArm {
  #atMs = 0;
  readonly #seen = new Map<string, number>();
  readonly #stop = new AbortController();
  #failed: Error | undefined;

  override async setUp(): Promise<void> {
    await super.setUp();
    void this.plane.bus.plans.watchAll(
      this.#stop.signal,
      ({ host, data }) => void this.#seen.set(host, readPlanHead(data).sequence),
      (error) => (this.#failed = error),
    );
  }

  override async measure(): Promise<Figures> {
    const [classifier] = this.running;
    if (classifier === undefined) throw new Error("not set up");
    classifier.signal("SIGSTOP");
    const each = Math.min(SAMPLES_A_HOST_MAX, Math.ceil(SAMPLES / this.hosts.length));
    for (let n = 0; n < each; n++) await this.#publish();
    const from = this.spent();
    const fromMs = performance.now();
    classifier.signal("SIGCONT");
    await this.#allPlanned(fromMs);
    const seconds = (performance.now() - fromMs) / 1000;
    const to = this.spent();
    const ticks = this.hosts.length * each;
    return {
      ticks_per_s: ticks / seconds,
      ...this.perTick(from, to, ticks),
      rss_mb: rssMbOf(classifier.pid),
    };
  }

  override async tearDown(): Promise<void> {
    this.#stop.abort();
    await super.tearDown();
  }

  async #publish(): Promise<void> {
    const { periodMs } = this.options;
    this.#atMs += periodMs;
    const sequence = 600_000_000 + this.#atMs * 1000;
    for (let at = 0; at < this.hosts.length; at += SENT_AT_ONCE) {
      const some = this.hosts.slice(at, at + SENT_AT_ONCE);
      await Promise.all(
        some.map((host) => {
          const sample = host.sample(this.#atMs, sequence, Date.now(), periodMs);
          return this.plane.publish("sample", host.id, sample);
        }),
      );
    }
  }

  async #allPlanned(fromMs: number): Promise<void> {
    const last = 600_000_000 + this.#atMs * 1000;
    while (!this.hosts.every(({ id }) => this.#seen.get(id) === last)) {
      if (performance.now() - fromMs > LIMIT_MS)
        throw new Error(`not worked off in ${LIMIT_MS} ms`, { cause: this.#failed });
      await sleep(5);
    }
  }
}
