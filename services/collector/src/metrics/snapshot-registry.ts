/** A registry whose overlapping scrapes share one page: two Prometheus servers that scrape together cost one reading. */
import { Registry } from "prom-client";

/** Scrapes that begin this close to each other overlap, for every purpose of a scrape. */
const SHARED_MS = 100;

export class SnapshotRegistry extends Registry {
  readonly #nowMs: () => number;
  #page: Promise<string> | undefined;
  #sinceMs = 0;

  constructor(nowMs: () => number) {
    super();
    this.#nowMs = nowMs;
  }

  override metrics(): Promise<string> {
    const nowMs = this.#nowMs();
    if (this.#page === undefined || nowMs - this.#sinceMs >= SHARED_MS) {
      this.#sinceMs = nowMs;
      this.#page = super.metrics();
      // A page that failed is not shown to those who come after.
      this.#page.catch(() => (this.#page = undefined));
    }
    return this.#page;
  }
}
