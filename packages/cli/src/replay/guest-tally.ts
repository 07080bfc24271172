/** What becomes of one guest in a replay. */
import type { GuestPlan, GuestReport } from "@kvm-governor/policy";
import { Detection } from "./detection.ts";
import { Levels, LoadChanges } from "./load.ts";
import { Steadiness } from "./steadiness.ts";

/** Sums over the samples that are told; times in milliseconds, CPU in core-milliseconds. */
export interface GuestTimes {
  serviceMs: number;
  scientificMs: number;
  exemptMs: number;
  /** Part of the above in which it could not be read. */
  unreadableMs: number;
  /** With CPUs to itself; ranked below every service; with a bandwidth limit on some vCPU. */
  ownCpusMs: number;
  idleRankMs: number;
  limitedMs: number;
  usedPartMs: number;
  wantedPartMs: number;
  mayHaveCoreMs: number;
}

export class GuestTally {
  readonly uuid: string;
  name: string;
  vcpus = 0;
  readonly times: GuestTimes = {
    serviceMs: 0,
    scientificMs: 0,
    exemptMs: 0,
    unreadableMs: 0,
    ownCpusMs: 0,
    idleRankMs: 0,
    limitedMs: 0,
    usedPartMs: 0,
    wantedPartMs: 0,
    mayHaveCoreMs: 0,
  };
  readonly steadiness = new Steadiness();
  readonly detection = new Detection();
  readonly #levels = new Levels();
  readonly #changes = new LoadChanges();
  #isSeen = false;

  constructor(uuid: string, name: string) {
    this.uuid = uuid;
    this.name = name;
  }

  /** One period of the guest, in order. @param held as its plan has it since the last change */
  add(report: GuestReport, held: Held, endMs: number, periodMs: number): void {
    this.name = report.name;
    this.#addTimes(report, held, periodMs);
    if (report.class === "exempt") return;
    if (report.readable) {
      const level = this.#levels.add(endMs, periodMs, report.demand);
      if (level !== undefined) this.#level(level);
    }
    if (!this.#isSeen) this.detection.starts(report.movedFrom ?? report.class);
    this.#isSeen = true;
    this.detection.is(report.class, endMs);
    if (report.movedFrom !== undefined) this.steadiness.moved(endMs);
  }

  /** Nothing more comes. */
  end(): void {
    const level = this.#levels.end();
    if (level !== undefined) this.#level(level);
    this.steadiness.end();
    this.detection.end();
  }

  #level(level: NonNullable<ReturnType<Levels["end"]>>): void {
    this.steadiness.level(level.fromMs, this.#changes.add(level));
    this.detection.level(level);
  }

  #addTimes(report: GuestReport, held: Held, periodMs: number): void {
    const { times } = this;
    times[`${report.class}Ms`] += periodMs;
    if (!report.readable) times.unreadableMs += periodMs;
    if (held.ownCpus) times.ownCpusMs += periodMs;
    if (held.idleRank) times.idleRankMs += periodMs;
    if (held.limited) times.limitedMs += periodMs;
    times.usedPartMs += report.usage * periodMs;
    times.wantedPartMs += report.demand * periodMs;
    times.mayHaveCoreMs += report.entitlementCores * periodMs;
  }
}

/** How a plan holds a guest, as far as a replay counts it. */
export interface Held {
  ownCpus: boolean;
  idleRank: boolean;
  limited: boolean;
}

export const NOT_HELD: Held = { ownCpus: false, idleRank: false, limited: false };

export function heldBy(plan: GuestPlan): Held {
  return {
    ownCpus: plan.reasons.some(({ code }) => code === "cpus-alone"),
    idleRank: plan.weight === "idle",
    limited: plan.vcpus.some(({ bandwidth }) => typeof bandwidth === "number"),
  };
}
