/** One look at the fleet: the classifier's answers, and the counters of the collectors' metrics pages. */
import type { HostAnswer } from "../api/answers.ts";
import { sumsBy } from "../api/exposition.ts";
import { answersOf } from "../commands/asking.ts";
import type { AskFlags } from "../commands/asking.ts";

const SWITCHES = "kvmgov_vcpu_context_switches_total";
const RUN = "kvmgov_vcpu_run_seconds_total";
const TIMEOUT_MS = 5000;

/** Counters of a guest, summed over its vCPUs. */
export interface Counters {
  switches: number | undefined;
  runSeconds: number | undefined;
}

export interface Look {
  atMs: number;
  hosts: HostAnswer[];
  /** By `HOST/UUID`. */
  counters: Map<string, Counters>;
  /** Pages that could not be read, in words. */
  problems: string[];
}

/** @throws {ClassifierError} the classifier cannot be asked; a collector that cannot is a problem of the look */
export async function look(flags: Pick<AskFlags, "url" | "host">, now: () => number): Promise<Look> {
  const hosts = await answersOf(flags);
  const counters = new Map<string, Counters>();
  const problems: string[] = [];
  await Promise.all(
    hosts.map(async ({ id, name, metrics, report, missing = [] }) => {
      problems.push(...missing.map((what) => `host ${name ?? id}: not complete: ${what}`));
      const url = metrics["collector"];
      if (url === undefined)
        return void problems.push(`host ${name ?? id} has not said where its metrics are`);
      try {
        const isEmpty = addCounters(counters, id, await pageOf(pageUrl(url))) === 0;
        // Another page answers at this address, or the collector has lost its guests: never shown as zero.
        if (isEmpty && (report?.guests.length ?? 0) > 0)
          problems.push(`${pageUrl(url)} has no counters of vCPUs`);
      } catch (error) {
        problems.push(`${url}: ${(error as Error).message}`);
      }
    }),
  );
  return { atMs: now(), hosts, counters, problems };
}

/** Hosts announce the address of the service, or of the page itself where others reach it elsewhere. */
const pageUrl = (url: string): string =>
  url.endsWith("/metrics") ? url : `${url.replace(/\/+$/, "")}/metrics`;

async function pageOf(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!answer.ok) throw new Error(`answers ${answer.status}`);
  return answer.text();
}

function addCounters(counters: Map<string, Counters>, host: string, page: string): number {
  const sums = sumsBy("uuid", [SWITCHES, RUN], page);
  for (const uuid of sums.get(RUN)?.keys() ?? []) {
    counters.set(`${host}/${uuid}`, {
      switches: sums.get(SWITCHES)?.get(uuid),
      runSeconds: sums.get(RUN)?.get(uuid),
    });
  }
  return sums.get(RUN)?.size ?? 0;
}
