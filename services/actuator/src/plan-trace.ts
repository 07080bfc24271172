/** Spans of plans that came: each goes on with the trace of the tick that its classifier published it in. */
import type { Applied } from "@kvm-governor/policy";
import { processSpan } from "@kvm-governor/service-kit";
import type { Span, SpanSpec, Tracing } from "@kvm-governor/service-kit";
import type { Judgement } from "./acceptance.ts";

export class PlanTrace {
  readonly #tracing: Tracing;
  readonly #host: string;
  /** The plan that began the generation that is followed. */
  #first: { generation: number; traceparent: string } | undefined;

  constructor(tracing: Tracing, host: string) {
    this.#tracing = tracing;
    this.#host = host;
  }

  /** Runs the work on a plan in a span of its tick's trace; a plan that is followed already has none. */
  run<T>(judgement: Judgement, work: (span: Span) => T): T {
    const spec = processSpan("plan", this.#host, judgement.traceparent);
    return this.#tracing.span({ ...spec, ...this.#history(judgement) }, (span) => {
      if (judgement.result === "refused") span.fail(judgement.reason, judgement.text);
      if (judgement.result === "accepted") judgement.span = span;
      return work(span);
    });
  }

  /** Runs the work of taking everything back as a trace of its own, which points to the tick of the plan that ends. */
  takeBack<T>(reason: string, plan: { traceparent?: string | undefined } | undefined, work: () => T): T {
    const links = plan?.traceparent === undefined ? [] : [plan.traceparent];
    const attributes = { "kvmgov.host": this.#host, "kvmgov.switch.reason": reason };
    return this.#tracing.span({ name: "take back", root: true, links, attributes }, work);
  }

  /** A renewal points to the tick that changed what it renews. */
  #history(judgement: Judgement): Pick<SpanSpec, "links"> {
    if (judgement.result !== "accepted" || judgement.traceparent === undefined) return {};
    const { traceparent, plan } = judgement;
    if (this.#first?.generation === plan.generation) return { links: [this.#first.traceparent] };
    this.#first = { generation: plan.generation, traceparent };
    return {};
  }
}

/** What was done with a plan, in numbers. */
export function tellApplied(span: Span, { generation, sequence, ...applied }: Applied): void {
  span.set({
    "kvmgov.generation": generation,
    "kvmgov.sequence": sequence,
    "kvmgov.values.verified": applied.verified,
    "kvmgov.writes": applied.writes.length,
    "kvmgov.writes.failed": applied.writes.filter(({ error }) => error !== undefined).length,
    "kvmgov.drift": applied.drift.length,
    "kvmgov.guests.skipped": applied.skipped.length,
    "kvmgov.dry_run": applied.dryRun,
  });
}
