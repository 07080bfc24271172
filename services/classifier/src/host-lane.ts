/**
 * Samples of one host, worked off in order, one at a time. What waits is bounded: a sample whose plan would be void by
 * the time of the newest one is dropped.
 */
import type { Sample } from "@kvm-governor/policy";
import type { BusMessage } from "@kvm-governor/service-kit";

export interface QueuedSample {
  sample: Sample;
  message: BusMessage;
  /** When it arrived here, in milliseconds of this process's own monotonic clock. */
  arrivedMs: number;
}

export interface LaneOptions {
  /** Works off one sample and acknowledges it. Must not throw. */
  work: (queued: QueuedSample, lane: HostLane) => Promise<void>;
  /** A sample was dropped because newer ones of the host make its plan void. */
  expired: (queued: QueuedSample) => void;
  planTtlMs: () => number;
  /** Nothing is left to do. */
  idle: () => void;
}

export class HostLane {
  readonly #options: LaneOptions;
  readonly #waiting: QueuedSample[] = [];
  #current: QueuedSample | undefined;
  #newest: Sample | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Samples that are in work or wait. */
  get size(): number {
    return this.#waiting.length + (this.#current === undefined ? 0 : 1);
  }

  /** @returns whether it is one more; a copy of one that is here already takes no room */
  offer(queued: QueuedSample): boolean {
    const copy = [this.#current, ...this.#waiting].find(
      (other) => other !== undefined && isSameTick(other, queued),
    );
    if (copy !== undefined) {
      // Redelivered while it still waits here: the later delivery is the one to acknowledge.
      copy.message = queued.message;
      return false;
    }
    this.#insert(queued);
    if (this.#newest === undefined || !isAfter(this.#newest, queued.sample)) this.#newest = queued.sample;
    this.#dropExpired();
    if (this.#current === undefined) void this.#run();
    return true;
  }

  /** Whether newer samples of the host have made a plan that rests on this one void. */
  isExpired({ sample }: QueuedSample): boolean {
    const newest = this.#newest;
    if (newest === undefined || newest.bootId !== sample.bootId) return false;
    return newest.sequence - sample.sequence > this.#options.planTtlMs() * 1000;
  }

  /** Takes out what waits and is not being worked on. */
  clear(): QueuedSample[] {
    return this.#waiting.splice(0);
  }

  /** In the order of the host's clock: redelivery after a crash comes late, and must not cost a count. */
  #insert(queued: QueuedSample): void {
    const at = this.#waiting.findIndex(({ sample }) => isAfter(sample, queued.sample));
    if (at === -1) this.#waiting.push(queued);
    else this.#waiting.splice(at, 0, queued);
  }

  #dropExpired(): void {
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      const queued = this.#waiting[at];
      if (queued === undefined || !this.isExpired(queued)) continue;
      this.#waiting.splice(at, 1);
      this.#options.expired(queued);
    }
  }

  async #run(): Promise<void> {
    for (;;) {
      this.#current = this.#waiting.shift();
      if (this.#current === undefined) break;
      await this.#options.work(this.#current, this);
    }
    this.#options.idle();
  }
}

function isSameTick(a: QueuedSample, b: QueuedSample): boolean {
  return a.sample.bootId === b.sample.bootId && a.sample.sequence === b.sample.sequence;
}

function isAfter(a: Sample, b: Sample): boolean {
  return a.bootId === b.bootId && a.sequence > b.sequence;
}
