/** Whether a sample from another boot comes from the host after a boot, or from another machine with its id. Pure. */
import type { HostState, Sample } from "@kvm-governor/policy";

/** Two machines with one id: the one that was heard last is governed, the other refused. */
export class DuplicateHostError extends Error {
  override readonly name = "DuplicateHostError";
  readonly host: string;
  /** Boots of the machine that is governed, and of the one that is not. */
  readonly kept: string;
  readonly refused: string;
  constructor(host: string, kept: string, refused: string) {
    super(
      `host id ${host} is used by two machines: boot ${kept} is governed, boot ${refused} was up already while that one was ` +
        "heard, so it is refused; give it an id of its own",
    );
    this.host = host;
    this.kept = kept;
    this.refused = refused;
  }
}

/** What is known of the last sample of a host. */
export interface LastHeard {
  bootId: string;
  /** When the bus took it, by the bus's clock; undefined: not known. */
  heardAtMs: number | undefined;
}

/** A machine that is silent for this long, or three of its periods, gives its id up to another. */
const SILENT_MS = 60_000;
/** Servers of a NATS cluster do not agree better than this. */
const SLACK_MS = 5000;

/** `same-boot`: sequences order them. `booted`: the host booted since. `late`: from before the boot. */
export type Succession = "same-boot" | "booted" | "late" | "other-machine";

/**
 * No two clocks are compared but by how long they ran: a host that booted since it was heard last cannot be up for longer
 * than that. A machine that is, was up while the other one spoke.
 * @param heardAtMs when the bus took this sample, by its clock
 */
export function successionOf(
  last: LastHeard,
  sample: Pick<Sample, "bootId" | "sequence" | "periodMs">,
  heardAtMs: number | undefined,
): Succession {
  if (last.bootId === sample.bootId) return "same-boot";
  if (last.heardAtMs === undefined || heardAtMs === undefined) return "booted";
  const sinceMs = heardAtMs - last.heardAtMs;
  const silentMs = Math.max(SILENT_MS, 3 * sample.periodMs);
  // No message is as old as that: the clock of the bus was set.
  if (Math.abs(sinceMs) > silentMs) return "booted";
  if (sinceMs < -SLACK_MS) return "late";
  const uptimeMs = sample.sequence / 1000;
  return uptimeMs > sinceMs + SLACK_MS ? "other-machine" : "booted";
}

/**
 * The state to decide on a sample from. Between two boots of a host it is the bus that knows what was first: the host's own wall
 * clock may have been set, by hours.
 * @returns `late`: the sample is from before the boot of that state
 * @throws {DuplicateHostError}
 */
export function stateBefore(
  { previous, heardAtMs: lastMs }: { previous: HostState | undefined; heardAtMs: number | undefined },
  sample: Sample,
  heardAtMs: number | undefined,
): HostState | "late" | undefined {
  if (previous === undefined) return undefined;
  const { bootId, wallTimeMs } = previous;
  const succession = successionOf({ bootId, heardAtMs: lastMs }, sample, heardAtMs);
  if (succession === "other-machine") throw new DuplicateHostError(sample.host, bootId, sample.bootId);
  if (succession === "late") return "late";
  const isTimed = lastMs !== undefined && heardAtMs !== undefined;
  if (succession === "same-boot" || !isTimed || wallTimeMs < sample.wallTimeMs) return previous;
  return { ...previous, wallTimeMs: sample.wallTimeMs - 1 };
}
