/** Everything that must hold of one host, whatever happens to the servers: judged as it is seen. */
import { Ledger } from "./ledger.ts";
import type { LedgerOptions } from "./ledger.ts";
import type { ArrivedPlan, SeenPlan, Wants } from "./messages.ts";

export type Invariant =
  /** Lists and counts follow from the samples: each counted once, in order, none left out. */
  | "counts"
  /** No plan of an older generation, or on an older sample, is applied. */
  | "older plan"
  /** Plans of one generation hold guests alike. */
  | "generation"
  /** Each guest between its floor and its ceiling. */
  | "bounds"
  /** Each guest of a host in exactly one list of Redis, as its own record there says. */
  | "lists"
  /** What a failover lost is there again within two ticks. */
  | "healed";

export interface Violation {
  invariant: Invariant;
  host: string;
  text: string;
}

export class HostJudge {
  readonly ledger: Ledger;
  readonly #host: string;
  readonly #report: (violation: Violation) => void;
  #applied: { generation: number; sequence: number } | undefined;
  #published: { generation: number; sequence: number } | undefined;
  readonly #held = new Map<number, string>();
  #plans = 0;

  constructor(host: string, options: LedgerOptions, report: (violation: Violation) => void) {
    this.ledger = new Ledger(options);
    this.#host = host;
    this.#report = report;
  }

  /** Plans that were applied. */
  get plans(): number {
    return this.#plans;
  }

  /** The newest that was seen published. */
  get published(): { generation: number; sequence: number } | undefined {
    return this.#published;
  }

  sampled(sequence: number, wants: Wants, atMs: number): void {
    this.ledger.sampled(sequence, wants, atMs);
  }

  /** A plan lies in the bucket. The watch of the bucket gives them in the bucket's order, some may be left out. */
  inBucket({ generation, sequence, guests }: SeenPlan): void {
    const before = this.#published;
    if (before !== undefined && (generation < before.generation || sequence < before.sequence))
      this.#wrong(
        "older plan",
        `${generation}/${sequence} was published after ${before.generation}/${before.sequence}`,
      );
    this.#published = { generation, sequence };
    this.#say("counts", this.ledger.settle(sequence, guests));
  }

  /** A plan came to the host. */
  arrived(plan: ArrivedPlan): void {
    const { generation, sequence, verdict, held, outOfBounds } = plan;
    this.#say("counts", this.ledger.settle(sequence, plan.guests));
    if (verdict !== "accepted") return;
    this.#plans++;
    const before = this.#applied;
    if (before !== undefined && (generation < before.generation || sequence < before.sequence))
      this.#wrong(
        "older plan",
        `${generation}/${sequence} was applied after ${before.generation}/${before.sequence}`,
      );
    this.#applied = { generation, sequence };
    const same = this.#held.get(generation) ?? held;
    if (same !== held)
      this.#wrong("generation", `${generation} holds guests in two ways: ${same} and ${held}`);
    this.#held.set(generation, held);
    for (const text of outOfBounds) this.#wrong("bounds", text);
  }

  wrong(invariant: Invariant, text: string): void {
    this.#wrong(invariant, text);
  }

  #say(invariant: Invariant, text: string | undefined): void {
    if (text !== undefined) this.#wrong(invariant, text);
  }

  #wrong(invariant: Invariant, text: string): void {
    this.#report({ invariant, host: this.#host, text });
  }
}
