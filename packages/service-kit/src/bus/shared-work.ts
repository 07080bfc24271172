/**
 * Work that several processes share by partitions, without a leader: all compute the same division from who is alive
 * (`members.ts`, `share.ts`), and take and give back partitions accordingly (`partitions.ts`). Where two believe to have the
 * same one for a moment, the later claim ends the earlier, and commits to the store decide.
 */
import { UNPARTITIONED } from "@kvm-governor/policy";
import type { JsMsg } from "@nats-io/jetstream";
import type { Logger } from "../log.ts";
import type { BusConnection } from "./connection.ts";
import { Members } from "./members.ts";
import type { BusMetrics } from "./metrics.ts";
import { Partitions } from "./partitions.ts";
import type { PartitionsOptions } from "./partitions.ts";
import { divideParts } from "./share.ts";

export type SharedKind = PartitionsOptions["kind"];

export interface SharedWorkOptions {
  connection: BusConnection;
  /** Resolves when the streams are there. */
  managed: () => Promise<void>;
  log: Logger;
  metrics: BusMetrics;
  /** Name of this process, unique for each start. */
  self: string;
  silenceMs: number;
  keptMs: Record<SharedKind, number>;
  /** T_check at this time, in milliseconds. */
  checkPeriodMs: () => number;
  handlers: Record<SharedKind, (message: JsMsg) => void | Promise<void>>;
  /** These partitions are somebody else's from now on. */
  released: (partitions: ReadonlySet<number>) => void;
  now: () => number;
}

const RETRY_MS = 500;
const BACKLOG_EVERY_MS = 10_000;
const PARTS = UNPARTITIONED + 1;
const BYE_MS_MAX = 500;

export class SharedWork {
  readonly #options: SharedWorkOptions;
  readonly #members: Members;
  readonly #kinds: Partitions[];
  #mine = new Set<number>();
  #isRunning = false;
  #isStopped = false;
  #again = false;
  readonly #counting: NodeJS.Timeout;
  readonly #unlisten: () => void;

  constructor(options: SharedWorkOptions) {
    this.#options = options;
    const { connection, log, self, silenceMs, now, keptMs, checkPeriodMs, handlers } = options;
    this.#members = new Members({ connection, self, silenceMs, now, changed: () => void this.#settle() });
    this.#kinds = (["sample", "applied"] as const).map(
      (kind) =>
        new Partitions({
          kind,
          connection,
          log,
          self,
          keptMs: keptMs[kind],
          checkPeriodMs,
          handle: handlers[kind],
          lost: (partition, error) => this.#lost(kind, partition, error),
        }),
    );
    this.#unlisten = connection.onUp(() => this.#beginAnew());
    this.#counting = setInterval(() => void this.#countBacklog(), BACKLOG_EVERY_MS);
    this.#members.start();
  }

  /** Names of all that share the work, this process included; undefined while that is not known. */
  get members(): readonly string[] | undefined {
    return this.#members.living();
  }

  /** Takes no further messages. What is in work goes on and may be acknowledged. */
  pause(): void {
    this.#isStopped = true;
    clearInterval(this.#counting);
    for (const kind of this.#kinds) kind.release(kind.held);
  }

  /** Leaves: the others take the partitions over at once. */
  async stop(): Promise<void> {
    this.pause();
    this.#unlisten();
    this.#members.stop();
    const { connection, log } = this.#options;
    if (!connection.up) return;
    const said = connection.current().flush();
    const limit = new Promise((resolve) => setTimeout(resolve, BYE_MS_MAX).unref());
    await Promise.race([said, limit]).catch((error: unknown) =>
      log.debug({ event: "bye-failed", err: error }, "the good-bye may not have been heard"),
    );
  }

  /** After a reconnect nothing is known of our consumers: the server may have lost them, or others taken over. */
  #beginAnew(): void {
    if (this.#isStopped) return;
    for (const kind of this.#kinds) kind.release(kind.held);
    void this.#settle();
  }

  /** Makes what is held what should be held. Runs once at a time; a change meanwhile makes it run again. */
  async #settle(): Promise<void> {
    this.#again = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      while (this.#again && !this.#isStopped) {
        this.#again = false;
        await this.#settleOnce();
      }
    } finally {
      this.#isRunning = false;
    }
  }

  async #settleOnce(): Promise<void> {
    const { log, metrics, managed } = this.#options;
    const living = this.#members.living();
    if (living === undefined) return;
    const owners = divideParts(living, PARTS);
    const mine = new Set([...owners.keys()].filter((part) => owners[part] === this.#options.self));
    this.#release(mine, living.length);
    try {
      await managed();
      for (const kind of this.#kinds) await kind.claim([...mine]);
      if (mine.size !== this.#mine.size || [...mine].some((part) => !this.#mine.has(part)))
        log.info(
          { event: "partitions-taken", partitions: mine.size, of: PARTS, members: living.length },
          `working off ${mine.size} of ${PARTS} partitions, one of ${living.length} classifiers`,
        );
      this.#mine = mine;
      metrics.partitions.set(mine.size);
      metrics.members.set(living.length);
    } catch (error) {
      if (this.#isStopped) return;
      this.#options.connection.failed(error);
      log.warn({ event: "claim-failed", err: error }, "partitions could not be taken, trying again");
      this.#later();
    }
  }

  #release(mine: ReadonlySet<number>, members: number): void {
    const gone = new Set([...this.#mine].filter((part) => !mine.has(part)));
    if (gone.size === 0) return;
    for (const kind of this.#kinds) kind.release(gone);
    this.#mine = new Set([...this.#mine].filter((part) => mine.has(part)));
    this.#options.released(gone);
    this.#options.log.info(
      { event: "partitions-given-back", partitions: gone.size, members },
      `${gone.size} partitions are another classifier's now`,
    );
  }

  #lost(kind: SharedKind, partition: number, error: Error | undefined): void {
    if (this.#isStopped) return;
    this.#options.log.debug(
      { event: "partition-lost", kind, partition, err: error },
      `${kind}s of partition ${partition} stopped coming`,
    );
    this.#later();
  }

  #later(): void {
    setTimeout(() => void this.#settle(), RETRY_MS).unref();
  }

  async #countBacklog(): Promise<void> {
    const { metrics, log } = this.#options;
    for (const [at, kind] of (["sample", "applied"] as const).entries()) {
      try {
        metrics.backlog.set({ kind }, (await this.#kinds[at]?.backlog()) ?? 0);
      } catch (error) {
        // Nobody knows now; whoever consumes says why.
        metrics.backlog.remove({ kind });
        log.debug({ event: "backlog-unknown", kind, err: error }, "backlog is not known");
      }
    }
  }
}
