/** The host's own counters between two ticks: CPU times of the usable CPUs, pressure. */
import { coresUsed, type CoresUsed, type CpuTimes } from "../host/cpu-times.ts";
import type { HostReader } from "../host/reader.ts";
import type { TopologyReader } from "../topology/topology.ts";
import type { Sources } from "./sources.ts";

export interface HostReading {
  usableCpus: readonly number[];
  /** Since the last reading, on the usable CPUs; undefined: first reading, or /proc/stat failed in one of the two. */
  used: CoresUsed | undefined;
  /** Time since boot in which a task waited for a CPU, in microseconds; undefined: no PSI, or it failed. */
  pressureUs: number | undefined;
  /** The same since the last reading. */
  pressureSinceUs: number | undefined;
  /** CPUs went on- or offline since the last reading. */
  isTopologyChanged: boolean;
}

export class HostCounters {
  readonly #reader: Pick<HostReader, "cpuTimes" | "pressure">;
  readonly #topology: Pick<TopologyReader, "read">;
  readonly #sources: Sources;
  #times: readonly CpuTimes[] | undefined;
  #pressureUs: number | undefined;
  #usable: readonly number[];

  /** @throws {TopologyError} the CPUs of this host cannot be told */
  constructor(
    reader: Pick<HostReader, "cpuTimes" | "pressure">,
    topology: Pick<TopologyReader, "read">,
    sources: Sources,
  ) {
    this.#reader = reader;
    this.#topology = topology;
    this.#sources = sources;
    this.#usable = topology.read().usable;
  }

  /** Throws nothing: failures are in the sources. */
  read(): HostReading {
    const topology = this.#sources.measure("topology", () => this.#topology.read());
    this.#usable = topology?.usable ?? this.#usable;
    const times = this.#sources.measure("stat", () => this.#reader.cpuTimes());
    const pressureUs = this.#sources.measure("pressure", () => this.#reader.pressure()?.someUs);
    const reading: HostReading = {
      usableCpus: this.#usable,
      used: this.#times && times && coresUsed(this.#times, times, this.#usable),
      pressureUs,
      pressureSinceUs: difference(this.#pressureUs, pressureUs),
      isTopologyChanged: topology?.isChanged ?? false,
    };
    this.#times = times;
    this.#pressureUs = pressureUs;
    return reading;
  }
}

function difference(before: number | undefined, now: number | undefined): number | undefined {
  return before === undefined || now === undefined ? undefined : Math.max(0, now - before);
}
