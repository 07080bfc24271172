/**
 * A registry whose page is written in pieces, with room for the rest of the service between them, and shared by scrapes
 * that overlap: two Prometheus servers that scrape together cost one reading.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { Registry } from "prom-client";
import { isFastFamily } from "./fast-families.ts";
import { PageWriter } from "./page-writer.ts";

/** Scrapes that begin this close to each other overlap, for every purpose of a scrape. */
const SHARED_MS = 100;
/** So long a page is written without a pause. A family is not interrupted: 25,000 series take 1 to 3 ms (measured). */
const TURN_MS = 5;
/** A larger page is not kept once nobody can share it any more. */
const KEPT_BYTES = 1_048_576;

/** One page, as its scrapes share it. */
export interface Page {
  pieces: readonly Buffer[];
  bytes: number;
}

export class PageRegistry extends Registry {
  readonly #nowMs: () => number;
  #page: Promise<Page> | undefined;
  #isWriting = false;
  #sinceMs = 0;

  /** @param nowMs monotonic clock in milliseconds */
  constructor(nowMs: () => number) {
    super();
    this.#nowMs = nowMs;
  }

  /** The page that is being written, or was begun just now; else a new one. */
  page(): Promise<Page> {
    const nowMs = this.#nowMs();
    if (this.#page !== undefined && (this.#isWriting || nowMs - this.#sinceMs < SHARED_MS)) return this.#page;
    this.#sinceMs = nowMs;
    this.#isWriting = true;
    const page = this.#write().finally(() => (this.#isWriting = false));
    this.#page = page;
    void page.then(
      ({ bytes }) => bytes > KEPT_BYTES && setTimeout(() => this.#forget(page), SHARED_MS).unref(),
      // A page that failed is not shown to those who come after.
      () => this.#forget(page),
    );
    return page;
  }

  override async metrics(): Promise<string> {
    const { pieces } = await this.page();
    return Buffer.concat(pieces).toString();
  }

  #forget(page: Promise<Page>): void {
    if (this.#page === page) this.#page = undefined;
  }

  /** What changes between two pauses is seen by the families after it: as in the kernel's own files, no moment is the same for all. */
  async #write(): Promise<Page> {
    const writer = new PageWriter();
    let turnEndsMs = this.#nowMs() + TURN_MS;
    for (const [at, metric] of this.getMetricsAsArray().entries()) {
      if (this.#nowMs() >= turnEndsMs) {
        await nextTurn();
        turnEndsMs = this.#nowMs() + TURN_MS;
      }
      if (at > 0) writer.text("\n");
      if (isFastFamily(metric)) metric.writeTo(writer);
      else writer.text(`${await this.getSingleMetricAsString(metric.name)}\n`);
    }
    const pieces = writer.take();
    return { pieces, bytes: pieces.reduce((sum, piece) => sum + piece.length, 0) };
  }
}
