/** What became of the spans that were to be sent: counted, and said once when it goes wrong and once when it is over. */
import type { Logger } from "../log.ts";

/** Spans since the start. */
export interface ExportCounts {
  exported: number;
  /** Refused by the receiver, or not taken in time. */
  failed: number;
  /** More came than could be sent. */
  queueFull: number;
}

export const NO_COUNTS: ExportCounts = { exported: 0, failed: 0, queueFull: 0 };

export class ExportHealth {
  readonly #log: Pick<Logger, "info" | "warn">;
  #counts = NO_COUNTS;
  /** Lost when the present failure began; undefined while all is well. */
  #lostBefore: number | undefined;

  constructor(log: Pick<Logger, "info" | "warn">) {
    this.#log = log;
  }

  get counts(): ExportCounts {
    return this.#counts;
  }

  /** The exporter failed. */
  failed(reason: string): void {
    if (this.#lostBefore !== undefined) return;
    this.#lostBefore = lostOf(this.#counts);
    this.#log.warn(
      { event: "traces-lost", reason },
      `traces are lost (${reason}): spans are dropped and counted, nothing waits for them`,
    );
  }

  /** Takes the counts of now. */
  update(counts: ExportCounts): void {
    const before = this.#counts;
    this.#counts = counts;
    if (counts.queueFull > before.queueFull) this.failed("more spans than could be sent");
    const isWell = counts.exported > before.exported && lostOf(counts) === lostOf(before);
    if (this.#lostBefore === undefined || !isWell) return;
    const lost = lostOf(counts) - this.#lostBefore;
    this.#lostBefore = undefined;
    this.#log.info({ event: "traces-sent-again", lost }, `traces are sent again; ${lost} spans were lost`);
  }
}

const lostOf = ({ failed, queueFull }: ExportCounts): number => failed + queueFull;
