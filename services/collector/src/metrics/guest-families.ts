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

export interface GuestFamilyOptions {
  registry: Registry;
  /** Guests of the last reading: who is gone is not among them, and leaves the page. */
  guests: () => readonly GuestCounters[];
  declare: (guest: Guest) => Declared;
  /** Before the families that need them: reads voluntary and involuntary switches. */
  readSwitchSplit: () => void;
  onError: (family: string, error: unknown) => void;
}

const CLASSES = ["auto", "service", "scientific", "exempt"] as const;
const STATES = ["running", "paused", "migrating", "unknown"] as const;
const SECOND_NS = 1e9;

type Value<T> = (of: T) => number | undefined;

const VCPU_COUNTERS: readonly (readonly [name: string, help: string, value: Value<VcpuCounters>])[] = [
  ["run_seconds_total", "Time the vCPU's thread ran on a CPU", (v) => v.runNs.value / SECOND_NS],
  [
    "delay_seconds_total",
    "Time the vCPU's thread was runnable and waited for a CPU, throttled time included",
    (v) => v.delayNs.value / SECOND_NS,
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
    (v) => throttled(v, v.throttledNs.value / SECOND_NS),
  ],
];

function migrations(vcpu: VcpuCounters): number | undefined {
  return vcpu.hasMigrations ? vcpu.migrations.value : undefined;
}

function throttled(vcpu: VcpuCounters, value: number): number | undefined {
  return vcpu.hasThrottling ? value : undefined;
}

export function registerGuestFamilies(options: GuestFamilyOptions): void {
  registerIdentity(options);
  registerDeclared(options);
  registerOtherThreads(options);
  const readFirst = VCPU_COUNTERS.findIndex(([name]) => name === "voluntary_context_switches_total");
  for (const [at, [name, help, value]] of VCPU_COUNTERS.entries()) {
    const spec: FamilySpec = { name: `kvmgov_vcpu_${name}`, help, type: "counter", labels: ["uuid", "vcpu"] };
    register(options, spec, (write) => {
      if (at === readFirst) options.readSwitchSplit();
      for (const counters of options.guests()) writeVcpus(counters, value, write);
    });
  }
}

function registerIdentity(options: GuestFamilyOptions): void {
  gauge(
    options,
    "info",
    "A guest: its name and where it was found",
    ["name", "source"],
    ({ guest: { uuid, name, source } }, write) => write(labelText({ uuid, name, source }), 1),
  );
  gauge(options, "vcpus", "vCPUs of the guest", [], (counters, write) =>
    write(uuidOf(counters), counters.vcpus.length),
  );
  gauge(
    options,
    "state",
    "1 for the state that the guest is in",
    ["state"],
    ({ guest: { uuid, state } }, write) => {
      for (const each of STATES) write(labelText({ uuid, state: each }), each === state ? 1 : 0);
    },
  );
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
    ({ guest }, write) => {
      const declared = options.declare(guest).class;
      for (const each of CLASSES)
        write(labelText({ uuid: guest.uuid, class: each }), each === declared ? 1 : 0);
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
  };
  register(options, emulator, (write) => {
    for (const counters of options.guests())
      write(uuidOf(counters), counters.emulator.runNs.value / SECOND_NS);
  });
  const ioThreads: FamilySpec = {
    name: "kvmgov_guest_iothread_run_seconds_total",
    help: "Time that the guest's I/O thread ran",
    type: "counter",
    labels: ["uuid", "iothread"],
  };
  register(options, ioThreads, (write) => {
    for (const { guest, ioThreads } of options.guests()) {
      for (const [id, { runNs }] of ioThreads) {
        write(labelText({ uuid: guest.uuid, iothread: String(id) }), runNs.value / SECOND_NS);
      }
    }
  });
}

function gauge(
  options: GuestFamilyOptions,
  name: string,
  help: string,
  moreLabels: readonly string[],
  each: (counters: GuestCounters, write: WriteSeries) => void,
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

function writeVcpus(counters: GuestCounters, value: Value<VcpuCounters>, write: WriteSeries): void {
  for (const vcpu of counters.allVcpus) {
    const number = value(vcpu);
    if (number !== undefined) write(vcpuLabels(counters, vcpu), number);
  }
}

/** Formatted once: most of a scrape would be spent on it otherwise. Counters live as long as the run of their guest. */
const guestLabels = new WeakMap<GuestCounters, LabelText>();
const labelsOfVcpu = new WeakMap<VcpuCounters, LabelText>();

function uuidOf(counters: GuestCounters): LabelText {
  let labels = guestLabels.get(counters);
  if (labels === undefined) guestLabels.set(counters, (labels = labelText({ uuid: counters.guest.uuid })));
  return labels;
}

function vcpuLabels({ guest }: GuestCounters, vcpu: VcpuCounters): LabelText {
  let labels = labelsOfVcpu.get(vcpu);
  if (labels === undefined) {
    labelsOfVcpu.set(vcpu, (labels = labelText({ uuid: guest.uuid, vcpu: String(vcpu.index) })));
  }
  return labels;
}
