/** What a run of crash trials amounts to. */
import type { Trial } from "./crash-trials.ts";

export interface CrashSummary {
  trials: number;
  /** Trials after which every file and affinity read as the baseline. */
  restored: number;
  /** Trials that struck between a tick's first and last write. */
  inBetween: number;
  /** Trials in which a guest was restarted before anybody restored. */
  restartedGuests: number;
  bySignal: Record<string, number>;
  byRescue: Record<string, number>;
  byMoment: Record<string, number>;
}

export function summaryOf(trials: readonly Trial[]): CrashSummary {
  const count = (key: (trial: Trial) => string): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const trial of trials) counts[key(trial)] = (counts[key(trial)] ?? 0) + 1;
    return counts;
  };
  return {
    trials: trials.length,
    restored: trials.filter(({ different }) => different.length === 0).length,
    inBetween: trials.filter(({ moment }) => moment === "in between").length,
    restartedGuests: trials.filter(({ restarted }) => restarted !== undefined).length,
    bySignal: count(({ signal }) => signal),
    byRescue: count(({ rescue }) => rescue),
    byMoment: count(({ moment }) => moment),
  };
}
