/** Families of guests and vCPUs: many series, written as text at each scrape from what the last tick read. */
import type { Declared } from "@kvm-governor/policy";
import type { Guest } from "@kvm-governor/linux";
import {
  labelText,
  registerFamily,
  type FamilySpec,
  type LabelText,
  type WriteSeries,
} from "@kvm-governor/service-kit";
import type { Registry } from "prom-client";
import {
  CLASSES,
  GuestRows,
  STATES,
  type GuestFigures,
  type GuestRow,
  type VcpuFigures,
} from "./guest-rows.ts";

export interface GuestFamilyOptions {
  registry: Registry;
  /** Guests of the last reading: who is gone is not among them, and leaves the page. */
  guests: () => readonly GuestFigures[];
  declare: (guest: Guest) => Declared;
  /** Before the families that need them: reads voluntary and involuntary switches. */
  readSwitchSplit: () => void;
  onError: (family: string, error: unknown) => void;
}

type Context = GuestFamilyOptions & { rows: () => readonly GuestRow[] };
type Value<T> = (of: T) => number | undefined;

/** Where `unit` is `ns`, values are nanoseconds, and the page shows seconds. */
const VCPU_COUNTERS: readonly (readonly [
  name: string,
  help: string,
  value: Value<VcpuFigures>,
  unit?: "ns",
])[] = [
  ["run_seconds_total", "Time the vCPU's thread ran on a CPU", (v) => v.runNs.value, "ns"],
  [
    "delay_seconds_total",
    "Time the vCPU's thread was runnable and waited for a CPU, throttled time included",
    (v) => v.delayNs.value,
    "ns",
  ],
  ["context_switches_total", "Context switches of the vCPU's thread", (v) => v.switches.value],
  [
    "migrations_total",
    "Moves of the vCPU's thread to another CPU since it was first seen",
    (v) => migrations(v),
  ],
  [
    "voluntary_context_switches_total",
    "Context switches because the vCPU's thread waited for something, as of the last time they were read",
    (v) => v.voluntary.value,
  ],
  [
    "involuntary_context_switches_total",
    "Context switches because others wanted the CPU of the vCPU's thread, as of the last time they were read",
    (v) => v.involuntary.value,
  ],
  [
    "cfs_periods_total",
    "Bandwidth periods of the vCPU's control group",
    (v) => throttled(v, v.periods.value),
  ],
  [
    "cfs_throttled_periods_total",
    "Bandwidth periods in which the vCPU's control group was throttled",
    (v) => throttled(v, v.throttledPeriods.value),
  ],
  [
    "throttled_seconds_total",
    "Time the vCPU's control group was throttled",
    (v) => throttled(v, v.throttledNs.value),
    "ns",
  ],
];

function migrations(vcpu: VcpuFigures): number | undefined {
  return vcpu.hasMigrations ? vcpu.migrations.value : undefined;
}

function throttled(vcpu: VcpuFigures, value: number): number | undefined {
  return vcpu.hasThrottling ? value : undefined;
}

export function registerGuestFamilies(options: GuestFamilyOptions): void {
  const rows = new GuestRows();
  const context: Context = { ...options, rows: () => rows.of(options.guests()) };
  registerIdentity(context);
  registerDeclared(context);
  registerOtherThreads(context);
  const readFirst = VCPU_COUNTERS.findIndex(([name]) => name === "voluntary_context_switches_total");
  for (const [at, [name, help, value, unit]] of VCPU_COUNTERS.entries()) {
    const spec: FamilySpec = {
      name: `kvmgov_vcpu_${name}`,
      help,
      type: "counter",
      labels: ["uuid", "vcpu"],
      ...(unit !== undefined && { unit }),
    };
    register(context, spec, (write) => {
      if (at === readFirst) options.readSwitchSplit();
      writeVcpus(context.rows(), value, write);
    });
  }
}

function registerIdentity(options: Context): void {
  gauge(options, "info", "A guest: its name and where it was found", ["name", "source"], ({ info }, write) =>
    write(info, 1),
  );
  gauge(options, "vcpus", "vCPUs of the guest", [], ({ uuid, figures }, write) =>
    write(uuid, figures.vcpus.length),
  );
  gauge(options, "state", "1 for the state that the guest is in", ["state"], ({ states, figures }, write) => {
    for (const [at, each] of STATES.entries())
      write(states[at] as LabelText, each === figures.guest.state ? 1 : 0);
  });
  gauge(
    options,
    "perf_available",
    "1 where context switches are counted by perf, 0 where they are the sums of /proc/TID/status",
    [],
    ({ uuid, figures }, write) => write(uuid, figures.switchSource === "perf" ? 1 : 0),
  );
}

function registerDeclared(options: Context): void {
  gauge(
    options,
    "declared_class",
    "1 for the class that an operator declared",
    ["class"],
    ({ classes, figures }, write) => {
      const declared = options.declare(figures.guest).class;
      for (const [at, each] of CLASSES.entries()) write(classes[at] as LabelText, each === declared ? 1 : 0);
    },
  );
  gauge(
    options,
    "declared_sla_cores",
    "CPU that an operator promised to the guest",
    [],
    ({ uuid, figures }, write) => {
      const { slaCores } = options.declare(figures.guest);
      if (slaCores !== undefined) write(uuid, slaCores);
    },
  );
  gauge(
    options,
    "declared_delay_ratio",
    "Largest part of the time that an operator lets the guest's vCPUs wait to run, in 99 of 100 check periods",
    [],
    ({ uuid, figures }, write) => {
      const { slaDelay } = options.declare(figures.guest);
      if (slaDelay !== undefined) write(uuid, slaDelay);
    },
  );
  gauge(
    options,
    "exempt_reason_info",
    "Why the guest is left alone unless its class is declared",
    ["reason"],
    ({ figures }, write) => {
      const { uuid, exemptReason } = figures.guest;
      if (exemptReason !== undefined) write(labelText({ uuid, reason: exemptReason }), 1);
    },
  );
}

function registerOtherThreads(options: Context): void {
  const emulator: FamilySpec = {
    name: "kvmgov_guest_emulator_run_seconds_total",
    help: "Time that threads of the guest other than vCPUs and I/O threads ran, since they were first seen",
    type: "counter",
    labels: ["uuid"],
    unit: "ns",
  };
  register(options, emulator, (write) => {
    for (const { uuid, figures } of options.rows()) write(uuid, figures.emulator.runNs.value);
  });
  const ioThreads: FamilySpec = {
    name: "kvmgov_guest_iothread_run_seconds_total",
    help: "Time that the guest's I/O thread ran",
    type: "counter",
    labels: ["uuid", "iothread"],
    unit: "ns",
  };
  register(options, ioThreads, (write) => {
    for (const { guest, ioThreads } of options.guests()) {
      for (const [id, { runNs }] of ioThreads) {
        write(labelText({ uuid: guest.uuid, iothread: String(id) }), runNs.value);
      }
    }
  });
}

function gauge(
  options: Context,
  name: string,
  help: string,
  moreLabels: readonly string[],
  each: (row: GuestRow, write: WriteSeries) => void,
): void {
  const spec: FamilySpec = {
    name: `kvmgov_guest_${name}`,
    help,
    type: "gauge",
    labels: ["uuid", ...moreLabels],
  };
  register(options, spec, (write) => {
    for (const row of options.rows()) each(row, write);
  });
}

function register(options: Context, spec: FamilySpec, collect: (write: WriteSeries) => void): void {
  registerFamily(options.registry, spec, collect, options.onError);
}

function writeVcpus(rows: readonly GuestRow[], value: Value<VcpuFigures>, write: WriteSeries): void {
  for (const { vcpus } of rows) {
    for (const { figures, labels } of vcpus) {
      const number = value(figures);
      if (number !== undefined) write(labels, number);
    }
  }
}
