/** What comes back from the hosts beside samples: applied reports and announcements. */
import { appliedSchema, hostSchema } from "@kvm-governor/policy";
import type { Applied } from "@kvm-governor/policy";
import { NO_SPAN, processSpan, TRACING_OFF } from "@kvm-governor/service-kit";
import type { BusMessage, Span, Tracing } from "@kvm-governor/service-kit";
import type { History } from "./history.ts";
import type { HostIds } from "./host-ids.ts";
import type { ClassifierMetrics } from "./metrics.ts";
import { MessageRefusedError, readMessage } from "./refusal.ts";
import type { Refusals } from "./refusal.ts";
import type { Ticker } from "./ticker.ts";
import type { Topologies } from "./topologies.ts";
import type { Views } from "./views.ts";

export interface ReportLoopOptions {
  views: Views;
  topologies: Topologies;
  hostIds: Pick<HostIds, "announced">;
  history: Pick<History, "applied">;
  ticker: Pick<Ticker, "seenApplied">;
  refusals: Refusals;
  metrics: ClassifierMetrics;
  /** By default off. */
  tracing?: Tracing;
}

/** Handler of applied reports: latency, generations, and the last report of each host. */
export function onApplied({
  views,
  history,
  ticker,
  refusals,
  metrics,
  tracing = TRACING_OFF,
}: ReportLoopOptions): (message: BusMessage) => void {
  const work = (message: BusMessage, span: Span): void => {
    const applied = readMessage(appliedSchema, "applied", message);
    ticker.seenApplied(applied);
    if (isTimed(applied)) metrics.readBackSeconds.observe((applied.readBackAtUs - applied.sequence) / 1e6);
    views.applied(applied);
    history.applied(applied);
    span.set({
      "kvmgov.sequence": applied.sequence,
      "kvmgov.generation": applied.generation,
      "kvmgov.sample_to_read_back_ms": (applied.readBackAtUs - applied.sequence) / 1000,
    });
  };
  return (message) =>
    tracing.span(processSpan("applied", message.host, message.traceparent), (span) =>
      orRefuse(refusals, "applied", { message, span }, () => work(message, span)),
    );
}

/** Handler of announcements: which hosts there are, how their CPUs lie, and where their metrics pages are. */
export function onHost({
  views,
  topologies,
  hostIds,
  refusals,
}: ReportLoopOptions): (message: BusMessage) => void {
  return (message) =>
    orRefuse(refusals, "host", { message, span: NO_SPAN }, () => {
      const host = readMessage(hostSchema, "host", message);
      // What a machine says that is refused is not what the host is.
      if (!hostIds.announced(host, message.storedAtMs)) return;
      views.announced(host);
      topologies.announced(host);
    });
}

/** A report that closes a tick: something was read back because of the plan, not because a switch fired. */
function isTimed(applied: Applied): boolean {
  if (applied.switchFired !== undefined || applied.dryRun === true || applied.verified === 0) return false;
  return applied.readBackAtUs >= applied.sequence;
}

function orRefuse(
  refusals: Refusals,
  kind: "applied" | "host",
  { message, span }: { message: BusMessage; span: Span },
  work: () => void,
): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof MessageRefusedError)) throw error;
    refusals.refuse(kind, message, error, span);
    return;
  }
  message.ack();
}
