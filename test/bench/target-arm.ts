/** One row of the scrape benchmark: a page of so many vCPUs, served by a process of its own and scraped as Prometheus does. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Arm, Figures } from "./harness.ts";
import { ScrapeClient, sizeOf, type Scrape } from "./scrape-client.ts";
import type { Command, Cost, Source } from "./scrape-target.ts";

const TARGET = fileURLToPath(new URL("scrape-target.ts", import.meta.url));
/** Longer than scrapes share a page, and than the threads of a farm sleep: all of them have switched. */
const BETWEEN_MS = 450;

export class TargetArm implements Arm {
  readonly name: string;
  readonly #source: () => Source;
  readonly #gzip = new ScrapeClient("gzip");
  readonly #identity = new ScrapeClient("identity");
  #child: ChildProcess | undefined;
  #url = "";

  /** @param source asked for at set-up */
  constructor(name: string, source: () => Source) {
    this.name = name;
    this.#source = source;
  }

  async setUp(): Promise<void> {
    this.#child = fork(TARGET, { serialization: "advanced" });
    this.#url = await this.ask<string>({ serve: this.#source() });
    await this.ask("tick");
  }

  async measure(): Promise<Figures> {
    const packed = await this.#measured(() => this.#gzip.scrape(this.#url));
    const plain = await this.#measured(() => this.#identity.scrape(this.#url));
    const both = await this.#measured(async () => {
      using other = new ScrapeClient("identity");
      const [one, two] = await Promise.all([this.#identity.scrape(this.#url), other.scrape(this.#url)]);
      if (!one.body.equals(two.body)) throw new Error("scrapes that overlap got different pages");
      return one;
    });
    const { bytes, series } = sizeOf(packed.scrape.body);
    return {
      wall_ms: packed.scrape.wallMs,
      cpu_ms: packed.cost.cpuMs,
      loop_delay_ms: packed.cost.loopDelayMs,
      sent_bytes: packed.scrape.sentBytes,
      plain_wall_ms: plain.scrape.wallMs,
      plain_cpu_ms: plain.cost.cpuMs,
      plain_loop_delay_ms: plain.cost.loopDelayMs,
      two_at_once_cpu_ms: both.cost.cpuMs,
      page_bytes: bytes,
      series,
    };
  }

  async tearDown(): Promise<void> {
    this.#gzip[Symbol.dispose]();
    this.#identity[Symbol.dispose]();
    if (this.#child?.connected !== true) return;
    this.#child.disconnect();
    await once(this.#child, "exit");
  }

  /** @throws {Error} the process ended, or what it was asked for failed */
  ask<T = unknown>(command: Command): Promise<T> {
    const child = this.#child;
    if (child === undefined) throw new Error("not set up");
    return new Promise<T>((resolve, reject) => {
      const onExit = (): void => reject(new Error(`the process of ${this.name} ended`));
      child.once("exit", onExit);
      child.once("message", (message) => {
        child.off("exit", onExit);
        resolve((message as { result: T }).result);
      });
      child.send(command);
    });
  }

  async #measured(scrape: () => Promise<Scrape>): Promise<{ scrape: Scrape; cost: Cost }> {
    await sleep(BETWEEN_MS);
    await this.ask("tick");
    await this.ask("begin");
    // Two turns of the timer, so that a delay right at the beginning is seen.
    await sleep(5);
    const result = await scrape();
    await sleep(5);
    return { scrape: result, cost: await this.ask<Cost>("end") };
  }
}
