/** Publishes reports one after the other. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Applied } from "@kvm-governor/policy";
import { boundedReport } from "./applied-report.ts";
import type { Reporter } from "./reporter.ts";

/** Reports that may wait for a bus that hangs; beyond, they are dropped: the next one says what holds by then. */
const WAITING_MAX = 16;

export class Publisher {
  readonly #send: (applied: Applied) => Promise<void>;
  readonly #reporter: Reporter;
  #sent: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(send: (applied: Applied) => Promise<void>, reporter: Reporter) {
    this.#send = send;
    this.#reporter = reporter;
  }

  /** Returns at once: a bus that hangs must not keep the dead-man's switch from firing. */
  publish(applied: Applied): void {
    if (this.#waiting >= WAITING_MAX) {
      this.#reporter.failure("publish-failed", new Error(`${WAITING_MAX} reports wait for the bus already`));
      return;
    }
    this.#waiting++;
    this.#sent = this.#sent.then(() => this.#publishOne(applied));
  }

  /** Resolves when nothing waits any more, or after `timeoutMs`: a bus that hangs must not keep the process from ending. */
  async done(timeoutMs: number): Promise<void> {
    const late = new AbortController();
    await Promise.race([this.#sent, sleep(timeoutMs, undefined, { signal: late.signal }).catch(ignoreAbort)]);
    late.abort();
  }

  async #publishOne(applied: Applied): Promise<void> {
    try {
      await this.#send(boundedReport(applied));
      this.#reporter.recovered("publish-failed");
    } catch (error) {
      // The plan is applied all the same; the bus counts what it could not take.
      this.#reporter.failure("publish-failed", error);
    } finally {
      this.#waiting--;
    }
  }
}

function ignoreAbort(error: unknown): void {
  if ((error as Error).name !== "AbortError") throw error;
}
