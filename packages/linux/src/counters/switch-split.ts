/**
 * Reads which switches were voluntary, in turns. The only source, /proc/TID/status, takes about 7 us a thread, all that the
 * tick reads of one about 3: a scrape of very many busy vCPUs would hold up the tick. So each look has a time, and
 * continues where the one before stopped.
 */
import { isVanished } from "../proc/read.ts";
import type { VcpuCounters } from "./vcpu-counters.ts";

export interface SplitOptions {
  msMax: number;
  nowMs: () => number;
  failed: (error: unknown) => void;
}

export interface SplitResult {
  /** Files read; threads that have not switched since need no reading. */
  read: number;
  /** vCPUs that did not get a turn: they keep the values of an earlier scrape. */
  postponed: number;
}

export class SwitchSplit {
  #first = 0;

  read(vcpus: readonly VcpuCounters[], { msMax, nowMs, failed }: SplitOptions): SplitResult {
    const endMs = nowMs() + msMax;
    let read = 0;
    let done = 0;
    for (; done < vcpus.length; done++) {
      const vcpu = vcpus[(this.#first + done) % vcpus.length] as VcpuCounters;
      try {
        if (vcpu.readSwitchSplit() && ++read % 16 === 0 && nowMs() >= endMs) break;
      } catch (error) {
        if (!isVanished(error)) failed(error);
      }
    }
    const postponed = Math.max(0, vcpus.length - done - 1);
    this.#first = vcpus.length === 0 ? 0 : (this.#first + vcpus.length - postponed) % vcpus.length;
    return { read, postponed };
  }
}
