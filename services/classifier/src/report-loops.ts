/** What comes back from the hosts beside samples: applied reports and announcements. */
import { appliedSchema, hostSchema } from "@kvm-governor/policy";
import type { Applied } from "@kvm-governor/policy";
import type { BusMessage } from "@kvm-governor/service-kit";
import type { History } from "./history.ts";
import type { ClassifierMetrics } from "./metrics.ts";
import { MessageRefusedError, readMessage } from "./refusal.ts";
import type { Refusals } from "./refusal.ts";
import type { Ticker } from "./ticker.ts";
import type { Topologies } from "./topologies.ts";
import type { Views } from "./views.ts";

export interface ReportLoopOptions {
  views: Views;
  topologies: Topologies;
  history: Pick<History, "applied">;
  ticker: Pick<Ticker, "seenApplied">;
  refusals: Refusals;
  metrics: ClassifierMetrics;
}

/** Handler of applied reports: latency, generations, and the last report of each host. */
export function onApplied({
  views,
  history,
  ticker,
  refusals,
  metrics,
}: ReportLoopOptions): (message: BusMessage) => void {
  return (message) =>
    orRefuse(refusals, "applied", message, () => {
      const applied = readMessage(appliedSchema, "applied", message);
      ticker.seenApplied(applied);
      if (isTimed(applied)) metrics.readBackSeconds.observe((applied.readBackAtUs - applied.sequence) / 1e6);
      views.applied(applied);
      history.applied(applied);
    });
}

/** Handler of announcements: which hosts there are, how their CPUs lie, and where their metrics pages are. */
export function onHost({ views, topologies, refusals }: ReportLoopOptions): (message: BusMessage) => void {
  return (message) =>
    orRefuse(refusals, "host", message, () => {
      const host = readMessage(hostSchema, "host", message);
      views.announced(host);
      topologies.announced(host);
    });
}

/** A report that closes a tick: something was read back because of the plan, not because a switch fired. */
function isTimed(applied: Applied): boolean {
  if (applied.switchFired !== undefined || applied.dryRun === true || applied.verified === 0) return false;
  return applied.readBackAtUs >= applied.sequence;
}

function orRefuse(refusals: Refusals, kind: "applied" | "host", message: BusMessage, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof MessageRefusedError)) throw error;
    refusals.refuse(kind, message, error);
    return;
  }
  message.ack();
}
