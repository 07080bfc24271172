/** A real fault becomes a notification: real services, Prometheus and Alertmanager with the deployed files, and a webhook. */
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer, type Server as WebServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { startAlertmanager, startPrometheus, type HttpServer } from "@kvm-governor/lab";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { ControlPlane } from "../support/control-plane.ts";
import { readDeployed, replaceOnce, repository } from "../support/deployed.ts";
import { describeWith } from "../support/requirements.ts";
import { ServiceProcess, waitFor } from "../support/service-process.ts";

interface Alert {
  status: "firing" | "resolved";
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

const RULES = "deploy/prometheus/rules";

describeWith(["servers", "prometheus", "alertmanager"], "alerts", () => {
  const told: Alert[] = [];
  const stops: (() => Promise<unknown>)[] = [];
  let plane: ControlPlane;
  let prometheus: HttpServer;
  let actuator: ServiceProcess;
  let receiver: WebServer;

  beforeAll(async () => {
    plane = await ControlPlane.start();
    stops.push(() => plane.stop());
    const classifier = await plane.classifier();
    actuator = await startOnHost("actuator", { KVMGOV_DRY_RUN: "true" });
    const urls = JSON.stringify({ actuator: actuator.url });
    await startOnHost("collector", { KVMGOV_METRICS_URLS: urls });
    receiver = await receive(told);
    const dir = plane.dir;
    const webhook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    const alertmanager = await startAlertmanager({ dir, configText: await alertmanagerConfig(webhook) });
    stops.push(() => alertmanager.server.stop());
    const addresses = { "classifier:9472": classifier.url, "alertmanager:9093": alertmanager.url };
    prometheus = await startPrometheus({ dir, configText: await prometheusConfig(dir, addresses) });
    stops.push(() => prometheus.server.stop());
  }, 90_000);

  afterAll(async () => {
    for (const stop of stops.toReversed()) await stop();
    receiver?.close();
  }, 60_000);

  async function startOnHost(
    name: "collector" | "actuator",
    env: Record<string, string>,
  ): Promise<ServiceProcess> {
    const policyFile = path.join(plane.dir, "policy.yaml");
    // Guests of other tests on this machine are none of ours.
    await writeFile(policyFile, 'rules: [{ match: { name: "*" }, class: exempt }]\n');
    await mkdir(path.join(plane.dir, "libvirt"), { recursive: true });
    const service = await ServiceProcess.start(name, {
      KVMGOV_NATS_URL: plane.nats.url,
      KVMGOV_NATS_USER: plane.nats.user,
      KVMGOV_NATS_PASSWORD: plane.nats.password,
      KVMGOV_HOST_ID: "h1",
      KVMGOV_POLICY_FILE: policyFile,
      KVMGOV_LIBVIRT_RUN_DIR: path.join(plane.dir, "libvirt"),
      KVMGOV_STATE_DIR: path.join(plane.dir, "state"),
      KVMGOV_RUN_DIR: path.join(plane.dir, "run"),
      ...env,
    });
    stops.push(() => service.stop());
    return service;
  }

  async function up(job: string): Promise<unknown[]> {
    const query = encodeURIComponent(`up{job="${job}", host="h1"} == 1`);
    const answer = await (await fetch(`${prometheus.url}/api/v1/query?query=${query}`)).json();
    return (answer as { data: { result: unknown[] } }).data.result;
  }

  const exporterDown = (status: Alert["status"]): Alert | undefined =>
    told.find((alert) => alert.labels["alertname"] === "KvmgovExporterDown" && alert.status === status);

  it("tells that an actuator was killed, on which host, and what to do; and that it is back", async () => {
    for (const job of ["kvmgov-collector", "kvmgov-actuator"])
      await waitFor(`${job} is scraped`, 30_000, async () => (await up(job)).length === 1 || undefined);
    expect(exporterDown("firing")).toBeUndefined();

    const listen = new URL(actuator.url).host;
    await actuator.kill();
    const alert = await waitFor("notification", 30_000, () => exporterDown("firing"));
    expect(alert.labels).toMatchObject({ job: "kvmgov-actuator", host: "h1", severity: "warning" });
    expect(alert.annotations["summary"]).toBe("kvmgov-actuator on h1 cannot be scraped");
    expect(await readDeployed(alert.annotations["runbook_url"] ?? "")).toMatch(/^# KvmgovExporterDown/);

    await startOnHost("actuator", { KVMGOV_DRY_RUN: "true", KVMGOV_LISTEN: listen });
    await waitFor("resolved", 30_000, () => exporterDown("resolved"));
  }, 120_000);
});

/** Takes what Alertmanager sends. */
async function receive(told: Alert[]): Promise<WebServer> {
  const server = createServer((request, response) => {
    void request.toArray().then((chunks) => {
      const body = Buffer.concat(chunks as Buffer[]).toString();
      told.push(...(JSON.parse(body) as { alerts: Alert[] }).alerts);
      response.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** The deployed file with times of a second. */
async function alertmanagerConfig(webhook: string): Promise<string> {
  const text = await readDeployed("deploy/alertmanager/alertmanager.yml");
  return replaceOnce(text, "http://alert-receiver:8080/", webhook).replaceAll(
    /(group_wait|group_interval): \w+/g,
    "$1: 1s",
  );
}

/** The deployed files with other addresses, and times of a second. */
async function prometheusConfig(dir: string, addresses: Record<string, string>): Promise<string> {
  await mkdir(path.join(dir, "rules"));
  for (const name of await readdir(path.join(repository, RULES))) {
    const rules = await readDeployed(`${RULES}/${name}`);
    await writeFile(path.join(dir, "rules", name), rules.replaceAll(/for: \d+m/g, "for: 1s"));
  }
  let text = await readDeployed("deploy/prometheus/prometheus.yml");
  for (const [from, to] of Object.entries(addresses)) text = text.replaceAll(from, new URL(to).host);
  return text.replaceAll(/(_interval|_timeout): \d+s/g, "$1: 1s");
}
