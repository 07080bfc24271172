/** The webhook that Alertmanager sends to, and Alertmanager with the deployed file and short times. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { startAlertmanager, type HttpServer } from "@kvm-governor/lab";
import { readDeployed, replaceOnce } from "./deployed.ts";

export interface Alert {
  status: "firing" | "resolved";
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** One request of Alertmanager: a group of alerts. */
export interface Notification {
  alerts: Alert[];
  groupLabels: Record<string, string>;
}

export class AlertReceiver {
  readonly notifications: Notification[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      void request.toArray().then((chunks) => {
        const body = Buffer.concat(chunks as Buffer[]).toString();
        this.notifications.push(JSON.parse(body) as Notification);
        response.end();
      });
    });
  }

  static async start(): Promise<AlertReceiver> {
    const receiver = new AlertReceiver();
    receiver.#server.listen(0, "127.0.0.1");
    await once(receiver.#server, "listening");
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** All alerts that came, in their order. */
  get alerts(): Alert[] {
    return this.notifications.flatMap(({ alerts }) => alerts);
  }

  /** The first alert of this name and status that came. */
  find(alertname: string, status: Alert["status"]): Alert | undefined {
    return this.alerts.find((alert) => alert.labels["alertname"] === alertname && alert.status === status);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/**
 * Alertmanager with deploy/alertmanager/alertmanager.yml.
 * @param edit changes to the text of the file, beside the receiver's address
 */
export async function startDeployedAlertmanager(
  dir: string,
  receiver: AlertReceiver,
  edit: (text: string) => string,
): Promise<HttpServer> {
  const text = await readDeployed("deploy/alertmanager/alertmanager.yml");
  const configText = edit(replaceOnce(text, "http://alert-receiver:8080/", receiver.url));
  return startAlertmanager({ dir, configText });
}

/** Waits of a second: what belongs to one host and alert still comes together. */
export function waitingASecond(text: string): string {
  return text.replaceAll(/(group_wait|group_interval): \w+/g, "$1: 1s");
}
