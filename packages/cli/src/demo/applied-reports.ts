/** Time from a sample taken to its plan read back from the kernel, by the actuator's reports on the bus. */
import { ContractError, appliedSchema, parseContract } from "@kvm-governor/policy";
import type { Applied } from "@kvm-governor/policy";
import { Readiness, connectBus, createLogger } from "@kvm-governor/service-kit";
import type { Bus } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import type { BusAccess } from "../supervisor/servers.ts";

export class AppliedReports {
  /** Milliseconds, one a sample. */
  readonly latenciesMs: number[] = [];
  /** Reports that could not be understood. */
  refused = 0;
  readonly #bus: Bus;
  readonly #stop = new AbortController();
  readonly #consuming: Promise<void>;
  #lastSequence = 0;

  constructor(access: BusAccess) {
    this.#bus = connectBus({
      ...access,
      name: "kvmgov-demo",
      log: createLogger("demo", "silent"),
      readiness: new Readiness(),
      registry: new Registry(),
    });
    this.#consuming = this.#bus.consume("applied", "kvmgov-demo", this.#stop.signal, (message) => {
      this.#read(message.data, message.subject);
      message.ack();
    });
  }

  #read(data: Uint8Array, subject: string): void {
    try {
      this.take(parseContract(appliedSchema, data, subject));
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      this.refused++;
    }
  }

  /** Counts each sample once: a plan that is only looked at again says nothing about its sample. */
  take(report: Applied): void {
    if (report.switchFired !== undefined || report.dryRun === true) return;
    if (report.sequence <= this.#lastSequence) return;
    this.#lastSequence = report.sequence;
    this.latenciesMs.push((report.readBackAtUs - report.sequence) / 1000);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#bus.close();
    await this.#consuming;
  }
}
