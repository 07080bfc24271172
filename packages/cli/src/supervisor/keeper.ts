/** Keeps one service running: starts it again when it ends unasked, and gives up when it cannot stay up. */
import type { Child, Exit } from "./child.ts";

const BACKOFF_MS_MAX = 10_000;
/** Ends within this time of its start count against a service. */
const STABLE_MS = 10_000;
const FAILURES_MAX = 5;
const STOP_GRACE_MS = 25_000;

export interface KeeperOptions {
  name: string;
  start: () => Child;
  /** Before each restart: what must be mended first (the actuator's guests go back to their baseline). */
  beforeRestart?: () => Promise<void>;
  onEnd: (exit: Exit, restartInMs: number) => void;
  onGiveUp: (reason: string) => void;
  /** Wait before the first restart, in milliseconds; doubles with each failure. */
  backoffMsMin?: number;
}

export class Keeper {
  readonly #options: KeeperOptions;
  #child: Child;
  #stopping = false;
  #failures = 0;
  readonly #done: Promise<void>;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#child = options.start();
    this.#done = this.#keep();
  }

  get child(): Child {
    return this.#child;
  }

  /** Ends the service for good. */
  async stop(): Promise<Exit> {
    this.#stopping = true;
    const exit = await this.#child.stop(STOP_GRACE_MS);
    await this.#done;
    return exit;
  }

  async #keep(): Promise<void> {
    for (;;) {
      const startedAt = performance.now();
      const exit = await this.#child.exited;
      if (this.#stopping) return;
      this.#failures = performance.now() - startedAt < STABLE_MS ? this.#failures + 1 : 1;
      const waitMs = Math.min(
        BACKOFF_MS_MAX,
        (this.#options.backoffMsMin ?? 500) * 2 ** (this.#failures - 1),
      );
      this.#options.onEnd(exit, waitMs);
      await this.#options.beforeRestart?.();
      if (this.#failures >= FAILURES_MAX) {
        this.#options.onGiveUp(`${this.#options.name} ended ${this.#failures} times soon after its start`);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (this.#stopping) return;
      this.#child = this.#options.start();
    }
  }
}
