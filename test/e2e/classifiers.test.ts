/**
 * Several classifiers as real processes share a fleet. Each guest is busy in every sample and beta is out of reach, so its
 * crossing count is the number of samples that were decided on: it tells what was lost and what was doubled.
 */
import { afterAll, beforeAll, expect, it, jest } from "@jest/globals";
import type { Sample } from "@kvm-governor/policy";
import { guestSample, sampleOf, uuidOn } from "../../services/classifier/src/testing/samples.ts";
import { ControlPlane } from "../support/control-plane.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";
import type { ServiceProcess } from "../support/service-process.ts";

const PERIOD_MS = 1000;
const HOSTS = Array.from({ length: 60 }, (_, n) => `host-${n}`);
const env = { KVMGOV_BETA: "1000000", KVMGOV_PLAN_TTL_MS: "3600000", KVMGOV_SILENCE_MS: "500" };
const busy = (host: string, tick: number): Sample =>
  sampleOf(host, tick, [{ ...guestSample(1, { run: 1 }), uuid: uuidOn(host, 1) }]);
const keyOf = (host: string): string => `kvmgov:{${host}}:tick`;

jest.setTimeout(90_000);

/** Hosts that sample once a period, spread over it, until they are told to stop. */
class Fleet {
  readonly #plane: ControlPlane;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #sent = new Map<string, Promise<number>>();

  constructor(plane: ControlPlane) {
    this.#plane = plane;
    for (const [n, host] of HOSTS.entries()) {
      this.#sent.set(host, Promise.resolve(0));
      const begin = setTimeout(
        () => {
          this.#tick(host);
          this.#timers.push(setInterval(() => this.#tick(host), PERIOD_MS));
        },
        (n * PERIOD_MS) / HOSTS.length,
      );
      this.#timers.push(begin);
    }
  }

  /** Stops. @returns how many samples of each host were published */
  async stop(): Promise<Map<string, number>> {
    for (const timer of this.#timers) clearInterval(timer);
    const counts = new Map<string, number>();
    for (const [host, sent] of this.#sent) counts.set(host, await sent);
    return counts;
  }

  #tick(host: string): void {
    const before = this.#sent.get(host) ?? Promise.resolve(0);
    this.#sent.set(
      host,
      before.then(async (ticks) => {
        await this.#plane.publish("sample", host, busy(host, ticks + 1));
        return ticks + 1;
      }),
    );
  }
}

describeWith(["servers"], "several classifiers", () => {
  let plane: ControlPlane;
  let fleet: Fleet | undefined;
  const living: ServiceProcess[] = [];

  beforeAll(async () => {
    plane = await ControlPlane.start();
    living.push(await plane.classifier(env), await plane.classifier(env));
    await divided(2);
    fleet = new Fleet(plane);
  }, 60_000);
  afterAll(async () => {
    try {
      await fleet?.stop();
    } finally {
      await plane.stop();
    }
  });

  /** Waits until the living have all partitions between them, each about as many. */
  async function divided(count: number): Promise<void> {
    await waitFor(`${count} classifiers that share`, 10_000, async () => {
      const held = await Promise.all(living.map((one) => one.metric("kvmgov_partitions")));
      const even = held.every((parts) => parts !== undefined && Math.abs(parts - 33 / count) < 1);
      return even && held.length === count ? true : undefined;
    });
  }

  const sequences = (): Promise<(string | null)[]> =>
    Promise.all(HOSTS.map((host) => plane.redis.hget(keyOf(host), "sequence")));

  /** Waits until each host has a later tick in the store than it had. @returns how long the slowest took */
  async function allGoOn(timeoutMs: number): Promise<number> {
    const fromMs = performance.now();
    const before = await sequences();
    await waitFor("a new tick of each host", timeoutMs, async () => {
      const now = await sequences();
      return now.every((sequence, at) => Number(sequence) > Number(before[at])) ? true : undefined;
    });
    return performance.now() - fromMs;
  }

  const decided = (one: ServiceProcess): Promise<number> =>
    one.metric('kvmgov_decisions_total{outcome="decided"}').then((count) => count ?? 0);

  it("divide the hosts, and none meets another at one host", async () => {
    await allGoOn(3 * PERIOD_MS);
    await allGoOn(3 * PERIOD_MS);
    const [one = 0, two = 0] = await Promise.all(living.map(decided));
    expect(one / (one + two)).toBeGreaterThan(0.3);
    expect(two / (one + two)).toBeGreaterThan(0.3);
    for (const each of living) expect(await each.metric("kvmgov_commit_conflicts_total")).toBe(0);
  });

  it("one that is added takes its share", async () => {
    const third = await plane.classifier(env);
    living.push(third);
    await divided(3);
    await allGoOn(3 * PERIOD_MS);
    const before = await Promise.all(living.map(decided));
    await allGoOn(3 * PERIOD_MS);
    const after = await Promise.all(living.map(decided));
    const total = after.reduce((sum, count, at) => sum + count - (before[at] ?? 0), 0);
    for (const [at, count] of after.entries())
      expect((count - (before[at] ?? 0)) / total).toBeGreaterThan(0.15);
  });

  it("one that is killed is replaced within two periods", async () => {
    const [first] = living.splice(0, 1);
    await first?.kill();
    const tookMs = await allGoOn(10 * PERIOD_MS);
    await divided(2);
    expect(tookMs).toBeLessThan(2 * PERIOD_MS);
  });

  it("one that is frozen is replaced, and takes its share again when it goes on", async () => {
    const [frozen] = living;
    frozen?.signal("SIGSTOP");
    await allGoOn(10 * PERIOD_MS);
    frozen?.signal("SIGCONT");
    await divided(2);
    const before = await Promise.all(living.map(decided));
    await allGoOn(3 * PERIOD_MS);
    const after = await Promise.all(living.map(decided));
    for (const [at, count] of after.entries()) expect(count).toBeGreaterThan(before[at] ?? 0);
  });

  it("one that leaves in order is replaced at once", async () => {
    const [leaving] = living.splice(0, 1);
    expect(await leaving?.stop()).toBe(0);
    await allGoOn(3 * PERIOD_MS);
    await divided(1);
  });

  it("through all of it, every sample was counted once", async () => {
    const published = (await fleet?.stop()) ?? new Map<string, number>();
    for (const [host, ticks] of published) await plane.committed(host, busy(host, ticks).sequence);
    const counted = new Map<string, number>();
    for (const host of HOSTS)
      counted.set(host, Number(await plane.redis.hget(`kvmgov:{${host}}:guest:${uuidOn(host, 1)}`, "count")));
    expect(Math.min(...published.values())).toBeGreaterThan(5);
    expect(counted).toEqual(published);
    for (const [host, ticks] of published) expect((await plane.plan(host))?.guests[0]?.count).toBe(ticks);
  });
});
