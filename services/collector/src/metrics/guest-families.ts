/** Families of guests and vCPUs: many series, written as text at each scrape from what the last tick read. */
import type { Declared } from "@kvm-governor/policy";
import type { Guest, GuestCounters, VcpuCounters } from "@kvm-governor/linux";
import {
  labelText,
  registerFamily,
  type FamilySpec,
  type LabelText,
  type WriteSeries,
} from "@kvm-governor/service-kit";
import type { Registry } from "prom-client";

/** What a page shows of a vCPU. */
export type VcpuFigures = Pick<
  VcpuCounters,
  | "index"
  | "runNs"
  | "delayNs"
  | "switches"
  | "hasMigrations"
  | "migrations"
  | "voluntary"
  | "involuntary"
  | "hasThrottling"
  | "periods"
  | "throttledPeriods"
  | "throttledNs"
>;

/** What a page shows of a guest. */
export type GuestFigures = Pick<
  GuestCounters,
  "guest" | "vcpus" | "emulator" | "ioThreads" | "switchSource"
> & {
  allVcpus: Iterable<VcpuFigures>;
};

export interface GuestFamilyOptions {
  registry: Registry;
  /** Guests of the last reading: who is gone is not among them, and leaves the page. */
  guests: () => readonly GuestFigures[];
  declare: (guest: Guest) => Declared;
  /** Before the families that need them: reads voluntary and involuntary switches. */
  readSwitchSplit: () => void;
  onError: (family: string, error: unknown) => void;
}

const CLASSES = ["auto", "service", "scientific", "exempt"] as const;
const STATES = ["running", "paused", "migrating", "unknown"] as const;

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
  registerIdentity(options);
  registerDeclared(options);
  registerOtherThreads(options);
  const readFirst = VCPU_COUNTERS.findIndex(([name]) => name === "voluntary_context_switches_total");
  for (const [at, [name, help, value, unit]] of VCPU_COUNTERS.entries()) {
    const spec: FamilySpec = {
      name: `kvmgov_vcpu_${name}`,
      help,
      type: "counter",
      labels: ["uuid", "vcpu"],
      ...(unit !== undefined && { unit }),
    };
    register(options, spec, (write) => {
      if (at === readFirst) options.readSwitchSplit();
      for (const counters of options.guests()) writeVcpus(counters, value, write);
    });
  }
}

function registerIdentity(options: GuestFamilyOptions): void {
  gauge(options, "info", "A guest: its name and where it was found", ["name", "source"], (counters, write) =>
    write(labelsOf(counters).info, 1),
  );
  gauge(options, "vcpus", "vCPUs of the guest", [], (counters, write) =>
    write(uuidOf(counters), counters.vcpus.length),
  );
  gauge(options, "state", "1 for the state that the guest is in", ["state"], (counters, write) => {
    const { states } = labelsOf(counters);
    for (const [at, each] of STATES.entries())
      write(states[at] as LabelText, each === counters.guest.state ? 1 : 0);
  });
  gauge(
    options,
    "perf_available",
    "1 where context switches are counted by perf, 0 where they are the sums of /proc/TID/status",
    [],
    (counters, write) => write(uuidOf(counters), counters.switchSource === "perf" ? 1 : 0),
  );
}

function registerDeclared(options: GuestFamilyOptions): void {
  gauge(
    options,
    "declared_class",
    "1 for the class that an operator declared",
    ["class"],
    (counters, write) => {
      const declared = options.declare(counters.guest).class;
      const { classes } = labelsOf(counters);
      for (const [at, each] of CLASSES.entries()) write(classes[at] as LabelText, each === declared ? 1 : 0);
    },
  );
  gauge(
    options,
    "declared_sla_cores",
    "CPU that an operator promised to the guest",
    [],
    (counters, write) => {
      const { slaCores } = options.declare(counters.guest);
      if (slaCores !== undefined) write(uuidOf(counters), slaCores);
    },
  );
  gauge(
    options,
    "exempt_reason_info",
    "Why the guest is left alone unless its class is declared",
    ["reason"],
    ({ guest: { uuid, exemptReason } }, write) => {
      if (exemptReason !== undefined) write(labelText({ uuid, reason: exemptReason }), 1);
    },
  );
}

function registerOtherThreads(options: GuestFamilyOptions): void {
  const emulator: FamilySpec = {
    name: "kvmgov_guest_emulator_run_seconds_total",
    help: "Time that threads of the guest other than vCPUs and I/O threads ran, since they were first seen",
    type: "counter",
    labels: ["uuid"],
    unit: "ns",
  };
  register(options, emulator, (write) => {
    for (const counters of options.guests()) write(uuidOf(counters), counters.emulator.runNs.value);
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
  options: GuestFamilyOptions,
  name: string,
  help: string,
  moreLabels: readonly string[],
  each: (counters: GuestFigures, write: WriteSeries) => void,
): void {
  const spec: FamilySpec = {
    name: `kvmgov_guest_${name}`,
    help,
    type: "gauge",
    labels: ["uuid", ...moreLabels],
  };
  register(options, spec, (write) => {
    for (const counters of options.guests()) each(counters, write);
  });
}

function register(
  options: GuestFamilyOptions,
  spec: FamilySpec,
  collect: (write: WriteSeries) => void,
): void {
  registerFamily(options.registry, spec, collect, options.onError);
}

function writeVcpus(counters: GuestFigures, value: Value<VcpuFigures>, write: WriteSeries): void {
  for (const vcpu of counters.allVcpus) {
    const number = value(vcpu);
    if (number !== undefined) write(vcpuLabels(counters, vcpu), number);
  }
}

interface GuestLabels {
  /** The record that they were made of: a guest can be renamed. */
  guest: Guest;
  uuid: LabelText;
  info: LabelText;
  /** In the order of STATES. */
  states: readonly LabelText[];
  /** In the order of CLASSES. */
  classes: readonly LabelText[];
}

/** Formatted once: most of a scrape would be spent on it otherwise. Counters live as long as the run of their guest. */
const guestLabels = new WeakMap<GuestFigures, GuestLabels>();
const labelsOfVcpu = new WeakMap<VcpuFigures, LabelText>();

function labelsOf(counters: GuestFigures): GuestLabels {
  const { guest } = counters;
  let labels = guestLabels.get(counters);
  if (labels?.guest !== guest) {
    const { uuid, name, source } = guest;
    labels = {
      guest,
      uuid: labelText({ uuid }),
      info: labelText({ uuid, name, source }),
      states: STATES.map((state) => labelText({ uuid, state })),
      classes: CLASSES.map((each) => labelText({ uuid, class: each })),
    };
    guestLabels.set(counters, labels);
  }
  return labels;
}

function uuidOf(counters: GuestFigures): LabelText {
  return labelsOf(counters).uuid;
}

function vcpuLabels({ guest }: GuestFigures, vcpu: VcpuFigures): LabelText {
  let labels = labelsOfVcpu.get(vcpu);
  if (labels === undefined) {
    labelsOfVcpu.set(vcpu, (labels = labelText({ uuid: guest.uuid, vcpu: String(vcpu.index) })));
  }
  return labels;
}
