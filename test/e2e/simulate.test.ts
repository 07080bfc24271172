/** `kvmgov simulate` against real servers and a real classifier: its hosts are governed, and go back when nobody governs them. */
import { afterAll, beforeAll, expect, it, jest } from "@jest/globals";
import { makeHosts } from "../../packages/cli/src/simulate/make-hosts.ts";
import { SimFleet } from "../../packages/cli/src/simulate/fleet.ts";
import { syntheticSeries } from "../../packages/cli/src/simulate/demand.ts";
import { seededRandom } from "../../packages/cli/src/demo/random.ts";
import { ControlPlane } from "../support/control-plane.ts";
import { runKvmgovWith } from "../support/kvmgov-process.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";

const PERIOD_MS = 500;

jest.setTimeout(60_000);

describeWith(["servers"], "simulated hosts", () => {
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await ControlPlane.start();
  }, 60_000);
  afterAll(() => plane.stop());

  it("are held by plans, report on them, and go back to their baseline when plans end", async () => {
    const classifier = await plane.classifier({
      KVMGOV_CHECK_PERIOD_MS: String(PERIOD_MS),
      KVMGOV_PLAN_TTL_MS: "2000",
      KVMGOV_BETA: "1",
    });
    const series = syntheticSeries(seededRandom(1));
    const hosts = makeHosts({ hosts: 20, guests: 10, vcpus: 2, cpus: 8, seed: 1, speed: 1, series });
    const fleet = new SimFleet({ bus: plane.bus, hosts, periodMs: PERIOD_MS });
    fleet.start();
    try {
      await waitFor("all hosts governed", 15_000, () => (fleet.governed === 20 ? true : undefined));
      await waitFor("moves", 15_000, async () => {
        const lists = await Promise.all(
          hosts.map(({ id }) => plane.redis.scard(`kvmgov:{${id}}:scientific`)),
        );
        return lists.some((guests) => guests > 0) ? true : undefined;
      });
      await waitFor("reports", 5000, async () =>
        ((await classifier.metric("kvmgov_sample_to_read_back_seconds_count")) ?? 0) > 20 ? true : undefined,
      );
      expect(fleet.latencies.count).toBeGreaterThan(20);
      await classifier.kill();
      await waitFor("all plans expired", 15_000, () => (fleet.governed === 0 ? true : undefined));
      expect(fleet.counts.plansExpired).toBe(20);
      expect(fleet.counts.errors).toBe(0);
    } finally {
      await fleet.stop();
    }
  });

  it("come from the command line, which counts what they sent and got", async () => {
    const classifier = await plane.classifier();
    const env = {
      KVMGOV_NATS_URL: plane.nats.url,
      KVMGOV_NATS_USER: plane.nats.user,
      KVMGOV_NATS_PASSWORD: plane.nats.password,
    };
    const args = ["simulate", "--hosts", "5", "--guests", "3", "--seconds", "6", "--seed", "9", "--json"];
    const { code, stdout: output } = await runKvmgovWith(args, env);
    expect(code).toBe(0);
    const outcome = JSON.parse(output) as { samplesSent: number; plansReceived: number; governed: number };
    expect(outcome.samplesSent).toBeGreaterThan(20);
    expect(outcome.plansReceived).toBeGreaterThan(15);
    expect(outcome.governed).toBe(5);
    await classifier.stop();
    const alone = await runKvmgovWith([...args.slice(0, 5), "--seconds", "1"], env);
    expect(alone.code).toBe(1);
    const wrong = await runKvmgovWith(["simulate", "--hosts", "0"], env);
    expect(wrong.output).toMatch(/--hosts must be a whole number from 1 to 100000, not "0"/);
  });
});
