/** Real servers, a classifier, Prometheus and Alertmanager with the deployed files, and a webhook that hears of alerts. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { startPrometheus, type HttpServer } from "@kvm-governor/lab";
import { AlertReceiver, startDeployedAlertmanager, waitingASecond } from "./alert-receiver.ts";
import { ControlPlane } from "./control-plane.ts";
import { readDeployed, repository } from "./deployed.ts";
import { ServiceProcess } from "./service-process.ts";

const RULES = "deploy/prometheus/rules";

export interface AlertingOptions {
  /** Rules for the guests of this machine; those of others are none of ours. */
  policy: readonly object[];
  /** Where libvirt keeps its status files; by default an empty directory. */
  libvirtRunDir?: string;
  /** Settings of the classifier. */
  classifier?: Readonly<Record<string, string>>;
}

export class Alerting {
  readonly plane: ControlPlane;
  readonly receiver: AlertReceiver;
  readonly #options: AlertingOptions;
  readonly #stops: (() => Promise<unknown>)[] = [];
  #prometheus: HttpServer | undefined;

  private constructor(plane: ControlPlane, receiver: AlertReceiver, options: AlertingOptions) {
    this.plane = plane;
    this.receiver = receiver;
    this.#options = options;
  }

  static async start(options: AlertingOptions): Promise<Alerting> {
    const alerting = new Alerting(await ControlPlane.start(), await AlertReceiver.start(), options);
    try {
      await alerting.#start();
      return alerting;
    } catch (error) {
      await alerting.stop();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { dir } = this.plane;
    const classifier = await this.plane.classifier(this.#options.classifier ?? {});
    const alertmanager = await startDeployedAlertmanager(dir, this.receiver, waitingASecond);
    this.#stops.push(() => alertmanager.server.stop());
    const addresses = { "classifier:9472": classifier.url, "alertmanager:9093": alertmanager.url };
    this.#prometheus = await startPrometheus({ dir, configText: await prometheusConfig(dir, addresses) });
    this.#stops.push(() => this.#prometheus?.server.stop() ?? Promise.resolve());
  }

  /** Starts a service of host `h1`. */
  async startOnHost(name: "collector" | "actuator", env: Record<string, string>): Promise<ServiceProcess> {
    const { dir, nats } = this.plane;
    const policyFile = path.join(dir, "policy.yaml");
    const others = { match: { name: "*" }, class: "exempt" };
    await writeFile(policyFile, JSON.stringify({ rules: [...this.#options.policy, others] }));
    await mkdir(path.join(dir, "libvirt"), { recursive: true });
    const service = await ServiceProcess.start(name, {
      KVMGOV_NATS_URL: nats.url,
      KVMGOV_NATS_USER: nats.user,
      KVMGOV_NATS_PASSWORD: nats.password,
      KVMGOV_HOST_ID: "h1",
      KVMGOV_POLICY_FILE: policyFile,
      KVMGOV_LIBVIRT_RUN_DIR: this.#options.libvirtRunDir ?? path.join(dir, "libvirt"),
      KVMGOV_STATE_DIR: path.join(dir, "state"),
      KVMGOV_RUN_DIR: path.join(dir, "run"),
      ...env,
    });
    this.#stops.push(() => service.stop());
    return service;
  }

  /** Values of an expression (PromQL) right now. @throws {Error} Prometheus does not take it */
  async query(expression: string): Promise<number[]> {
    const query = encodeURIComponent(expression);
    const answer = (await (await fetch(`${this.#prometheus?.url}/api/v1/query?query=${query}`)).json()) as {
      status: string;
      error?: string;
      data: { result: { value: [number, string] }[] };
    };
    if (answer.status !== "success") throw new Error(`${expression}: ${answer.error}`);
    return answer.data.result.map(({ value }) => Number(value[1]));
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0).toReversed()) await stop();
    await this.plane.stop();
    this.receiver.close();
  }
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
