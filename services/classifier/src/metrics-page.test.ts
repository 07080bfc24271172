import { describe, expect, it } from "@jest/globals";
import { decide, settingsSchema } from "@kvm-governor/policy";
import type { HostState } from "@kvm-governor/policy";
import { createBusMetrics, createLogger, exposeBuildInfo } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { registerGuestMetrics } from "./guest-metrics.ts";
import { createMetrics, exposeRedisUp } from "./metrics.ts";
import { guestSample, hostOf, sampleOf } from "./testing/samples.ts";
import { NASTY_NAME } from "./testing/states.ts";
import { Views } from "./views.ts";

const NOW_MS = 1_800_000_000_000;

/** A fleet of two hosts: one with a service, a scientific and an exempt guest, one that has only announced itself. */
class Fleet {
  nowMs = NOW_MS;
  readonly registry = new Registry();
  readonly #views = new Views(() => this.nowMs);
  #state: HostState | undefined;

  constructor() {
    exposeBuildInfo(this.registry, { name: "@kvm-governor/classifier", version: "1.2.3" });
    const metrics = createMetrics(this.registry);
    exposeRedisUp(this.registry, () => true);
    const bus = createBusMetrics(this.registry, { isUp: () => true, isClassifier: true });
    registerGuestMetrics(this.registry, this.#views, createLogger("classifier", "silent"));
    metrics.refused.inc({ kind: "sample", reason: "json" });
    metrics.decisions.inc({ outcome: "decided" }, 2);
    metrics.planPuts.inc({ outcome: "published" });
    metrics.tickSeconds.observe(0.002);
    metrics.readBackSeconds.observe(0.012);
    bus.backlog.set({ kind: "sample" }, 0);
    this.#views.announced(hostOf("h1", [0, 0]));
    this.#views.announced(hostOf("h2", [0]));
    for (const tick of [1, 2]) this.#tick(tick);
  }

  #tick(tick: number): void {
    const sample = sampleOf("h1", tick, [
      guestSample(1, {
        run: 0.25,
        name: NASTY_NAME,
        declared: { class: "auto", slaCores: 0.5, slaDelay: 0.1 },
      }),
      guestSample(2, { run: 1, vcpus: 2, declared: { class: "scientific" } }),
      guestSample(3, { run: 0.5, declared: { class: "exempt" } }),
    ]);
    const decision = decide(this.#state, sample, settingsSchema.parse({}));
    if (decision.kind !== "decided") throw new Error("not decided");
    this.#state = decision.next;
    this.#views.decided(sample, decision.plan, decision.report);
  }
}

/** Node's version is the machine's. */
const page = async ({ registry }: Fleet): Promise<string> =>
  (await registry.metrics()).replaceAll(process.versions.node, "NODE");

describe("the page of metrics", () => {
  it("reads as this golden page", async () => {
    expect(await page(new Fleet())).toMatchSnapshot();
  });

  it("is the same at the next scrape, and lets a host go that is not heard of any more", async () => {
    const fleet = new Fleet();
    const before = await page(fleet);
    expect(await page(fleet)).toBe(before);
    fleet.nowMs += 300_001;
    expect(await page(fleet)).not.toContain("kvmgov_guest_scientific{");
    expect(await page(fleet)).toContain('kvmgov_host_info{host="h2",name="h2"} 1\n');
  });

  it("keeps every series on one line, whatever a guest is named", async () => {
    for (const line of (await page(new Fleet())).split("\n")) {
      expect(line).toMatch(/^(# (HELP|TYPE) kvmgov_.*|kvmgov_[a-z_]+(\{.*\})? [0-9.e+-]+|)$/);
    }
  });
});
