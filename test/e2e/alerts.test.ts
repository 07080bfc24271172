/** A real fault becomes a notification: real services, Prometheus and Alertmanager with the deployed files, and a webhook. */
import path from "node:path";
import { startLibvirt, type Guest, type Libvirt } from "@kvm-governor/lab";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { Alerting } from "../support/alerting.ts";
import { readDeployed } from "../support/deployed.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor, type ServiceProcess } from "../support/service-process.ts";

describeWith(["servers", "prometheus", "alertmanager"], "alerts of services", () => {
  let alerting: Alerting;
  let actuator: ServiceProcess;

  beforeAll(async () => {
    alerting = await Alerting.start({ policy: [] });
    actuator = await alerting.startOnHost("actuator", { KVMGOV_DRY_RUN: "true" });
    await alerting.startOnHost("collector", {});
  }, 90_000);

  afterAll(() => alerting?.stop(), 60_000);

  it("tell that an actuator was killed, on which host, and what to do; and that it is back", async () => {
    for (const job of ["kvmgov-collector", "kvmgov-actuator"]) {
      const up = `up{job="${job}", host="h1"} == 1`;
      await waitFor(
        `${job} is scraped`,
        30_000,
        async () => (await alerting.query(up)).length === 1 || undefined,
      );
    }
    expect(alerting.receiver.find("KvmgovExporterDown", "firing")).toBeUndefined();

    const listen = new URL(actuator.url).host;
    await actuator.kill();
    const alert = await waitFor("notification", 30_000, () =>
      alerting.receiver.find("KvmgovExporterDown", "firing"),
    );
    expect(alert.labels).toMatchObject({ job: "kvmgov-actuator", host: "h1", severity: "warning" });
    expect(alert.annotations["summary"]).toBe("kvmgov-actuator on h1 cannot be scraped");
    expect(await readDeployed(alert.annotations["runbook_url"] ?? "")).toMatch(/^# KvmgovExporterDown/);

    await alerting.startOnHost("actuator", { KVMGOV_DRY_RUN: "true", KVMGOV_LISTEN: listen });
    await waitFor("resolved", 30_000, () => alerting.receiver.find("KvmgovExporterDown", "resolved"));
  }, 120_000);
});

const THROTTLED = "KvmgovServiceGuestThrottled";
const PERIOD = { KVMGOV_CHECK_PERIOD_MS: "500" };
/** Scrapes and evaluations (1 s each) in which an alert that should not fire had time to. */
const SCRAPES = 8;

describeWith(
  ["root", "kvm", "cgroup-v1", "lab", "servers", "prometheus", "alertmanager"],
  "alerts of guests",
  () => {
    let libvirt: Libvirt;
    let web: Guest;
    let other: Guest;
    let alerting: Alerting;

    beforeAll(async () => {
      libvirt = await startLibvirt();
      // Wants a whole CPU, and was promised very little: on a busy machine a guest that may have more would not be stopped.
      web = await libvirt.defineAndStart({ name: 'web "1"', load: { percent: 100 } });
      // Throttled as well, but by its own configuration: not ours to tell.
      const cputune = { periodUs: 100_000, quotaUs: 3_000 };
      other = await libvirt.defineAndStart({ name: "other", load: { percent: 100 }, cputune });
      alerting = await Alerting.start({
        policy: [{ match: { uuid: web.uuid }, class: "service", slaCores: 0.05 }],
        libvirtRunDir: path.join(libvirt.runDir, "qemu"),
        // The preset that holds by quota, as the paper does.
        classifier: { KVMGOV_PRESET: "paper", ...PERIOD },
      });
    }, 120_000);

    afterAll(async () => {
      await alerting?.stop();
      await libvirt?.stop();
    }, 60_000);

    const throttled = (guest: Guest): Promise<number[]> =>
      alerting.query(`kvmgov:guest_throttled:ratio5m{host="h1", uuid="${guest.uuid}"} > 0.05`);
    const scrapesOfActuator = async (): Promise<number> =>
      (await alerting.query('count_over_time(up{job="kvmgov-actuator", host="h1"}[10m])'))[0] ?? 0;

    it("tell that a service guest is throttled by us, and by nobody else; and that it is not any more", async () => {
      // Off arm: the same guests and the same plan, but nothing is written.
      const watching = await alerting.startOnHost("actuator", { KVMGOV_DRY_RUN: "true" });
      const listen = new URL(watching.url).host;
      await alerting.startOnHost("collector", PERIOD);
      await waitFor(
        "the other one is throttled",
        60_000,
        async () => (await throttled(other)).length === 1 || undefined,
      ).catch(async (cause: unknown) => {
        const [seen, up] = await Promise.all(
          ["kvmgov:guest_throttled:ratio5m", "up"].map((each) => alerting.query(each)),
        );
        throw new Error(`throttled ${JSON.stringify(seen)}, up ${JSON.stringify(up)}`, { cause });
      });
      await waitFor("scrapes", 60_000, async () => (await scrapesOfActuator()) >= SCRAPES || undefined);
      expect(await throttled(web)).toEqual([]);
      expect(alerting.receiver.find(THROTTLED, "firing")).toBeUndefined();
      await watching.stop();

      const actuator = await alerting.startOnHost("actuator", { KVMGOV_LISTEN: listen });
      const alert = await waitFor("notification", 90_000, () => alerting.receiver.find(THROTTLED, "firing"));
      expect(await throttled(web)).toHaveLength(1);
      expect(alert.labels).toEqual({ alertname: THROTTLED, host: "h1", uuid: web.uuid, severity: "warning" });
      expect(alert.annotations["summary"]).toMatch(
        /^service guest web "1" \([0-9a-f-]+\) on host h1 is held by us and throttled in [\d.]+% of/,
      );
      expect(await readDeployed(alert.annotations["runbook_url"] ?? "")).toMatch(`# ${THROTTLED}`);

      // It takes back what it wrote as it ends.
      await actuator.stop();
      await waitFor("resolved", 60_000, () => alerting.receiver.find(THROTTLED, "resolved"));
      const told = alerting.receiver.alerts.filter(({ labels }) => labels["alertname"] === THROTTLED);
      expect(new Set(told.map(({ labels }) => labels["uuid"]))).toEqual(new Set([web.uuid]));
    }, 240_000);
  },
);
