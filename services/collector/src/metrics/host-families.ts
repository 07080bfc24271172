/** Families of the host itself, as of the last tick. What could not be read is absent, not 0. */
import type { HostReading, SourceState } from "@kvm-governor/linux";
import { labelText, registerFamily, type FamilySpec, type WriteSeries } from "@kvm-governor/service-kit";
import type { Registry } from "prom-client";

export interface HostFamilyOptions {
  registry: Registry;
  /** Undefined before the first tick. */
  host: () => HostReading | undefined;
  /** Use of the usable CPUs by everything that is no guest, in cores. */
  hostRun: () => number | undefined;
  sources: ReadonlyMap<string, SourceState>;
  onError: (family: string, error: unknown) => void;
}

const NO_LABELS = labelText({});

export function registerHostFamilies(options: HostFamilyOptions): void {
  const { host, hostRun } = options;
  single(options, "host_usable_cpus", "Online CPUs that guests may use", () => host()?.usableCpus.length);
  single(
    options,
    "host_idle_cores",
    "Idle part of the usable CPUs in the last period",
    () => host()?.used?.idle,
  );
  single(
    options,
    "host_busy_cores",
    "Busy part of the usable CPUs in the last period",
    () => host()?.used?.busy,
  );
  single(
    options,
    "host_steal_cores",
    "Part of the usable CPUs that a hypervisor below took in the last period",
    () => host()?.used?.steal,
  );
  single(
    options,
    "host_own_use_cores",
    "Use of the usable CPUs by everything that is no guest in the last period",
    hostRun,
  );
  const pressure: FamilySpec = {
    name: "kvmgov_host_pressure_cpu_waiting_seconds_total",
    help: "Time in which some task of the host waited for a CPU",
    type: "counter",
    labels: [],
  };
  registerFamily(
    options.registry,
    pressure,
    writeOne(() => seconds(host()?.pressureUs)),
    options.onError,
  );
  registerSources(options);
}

function registerSources(options: HostFamilyOptions): void {
  const families: readonly (readonly [string, FamilySpec["type"], string, (state: SourceState) => number])[] =
    [
      [
        "success",
        "gauge",
        "1 where the source was read without failure the last time",
        (s) => (s.ok ? 1 : 0),
      ],
      ["duration_seconds", "gauge", "How long the source took the last time", (s) => s.durationMs / 1000],
      [
        "failures_total",
        "counter",
        "Failures of the source; guests that went away are none",
        (s) => s.failures,
      ],
    ];
  for (const [name, type, help, value] of families) {
    const spec = { name: `kvmgov_collector_source_${name}`, help, type, labels: ["source"] };
    registerFamily(
      options.registry,
      spec,
      (write) => {
        for (const [source, state] of options.sources) write(labelText({ source }), value(state));
      },
      options.onError,
    );
  }
}

function single(
  options: HostFamilyOptions,
  name: string,
  help: string,
  value: () => number | undefined,
): void {
  registerFamily(
    options.registry,
    { name: `kvmgov_${name}`, help, type: "gauge", labels: [] },
    writeOne(value),
    options.onError,
  );
}

function writeOne(value: () => number | undefined): (write: WriteSeries) => void {
  return (write) => {
    const number = value();
    if (number !== undefined) write(NO_LABELS, number);
  };
}

function seconds(us: number | undefined): number | undefined {
  return us === undefined ? undefined : us / 1e6;
}
