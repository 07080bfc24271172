/** Metrics of guests and hosts, from the last decisions: what is gone leaves the page at the next scrape. */
import { labelText, registerFamily } from "@kvm-governor/service-kit";
import type { Logger, WriteSeries } from "@kvm-governor/service-kit";
import type { Registry } from "prom-client";
import type { GuestReport } from "@kvm-governor/policy";
import type { DelayCount, HostView, Tick, Views } from "./views.ts";

type ManagedReport = GuestReport & { class: "service" | "scientific" };

export function registerGuestMetrics(registry: Registry, views: Views, log: Logger): void {
  const add: Add = (name, help, labels, collect, type = "gauge") =>
    registerFamily(registry, { name, help, type, labels }, collect, (family, error) =>
      log.error({ event: "metric-failed", family, err: error }, `metric ${family} could not be collected`),
    );
  addGuestFamilies(add, views);
  addDelayFamilies(add, views);
  addHostFamilies(add, views);
}

type Add = (
  name: string,
  help: string,
  labels: readonly string[],
  collect: (write: WriteSeries) => void,
  type?: "gauge" | "counter",
) => void;

function addGuestFamilies(add: Add, views: Views): void {
  const addPerGuest = (name: string, help: string, pick: (guest: ManagedReport) => number): void =>
    add(name, help, ["host", "uuid"], (write) => {
      for (const [host, guest] of managedGuests(views)) {
        write(labelText({ host, uuid: guest.uuid }), pick(guest));
      }
    });
  addPerGuest("kvmgov_guest_scientific", "1: the guest is in LIST_sc; 0: in LIST_se", (guest) =>
    Number(guest.class === "scientific"),
  );
  addPerGuest(
    "kvmgov_guest_crossings",
    "Crossing count: more than beta move the guest",
    ({ count }) => count,
  );
  addPerGuest(
    "kvmgov_guest_entitlement_cores",
    "CPU that the guest may have now",
    ({ entitlementCores }) => entitlementCores,
  );
  add(
    "kvmgov_classified_guest_info",
    "Name of a guest, as its owner chose it",
    ["host", "uuid", "name"],
    (write) => {
      for (const [host, { uuid, name }] of managedGuests(views)) write(labelText({ host, uuid, name }), 1);
    },
  );
  add("kvmgov_guests", "Guests of a host, by class", ["host", "class"], (write) => {
    for (const [host, { report }] of views.currentTicks()) {
      const counts = { service: 0, scientific: 0, exempt: 0 };
      for (const guest of report.guests) counts[guest.class]++;
      for (const [name, count] of Object.entries(counts)) write(labelText({ host, class: name }), count);
    }
  });
}

/** Of services that declared a delay alone: 1 less the ratio of the two counters is what was declared to be 0.99. */
function addDelayFamilies(add: Add, views: Views): void {
  const addPerService = (
    name: string,
    help: string,
    pick: (count: DelayCount) => number,
    type?: "counter",
  ): void =>
    add(
      name,
      help,
      ["host", "uuid"],
      (write) => {
        for (const [host, { delays }] of views.currentTicks())
          for (const [uuid, count] of delays) write(labelText({ host, uuid }), pick(count));
      },
      type,
    );
  addPerService(
    "kvmgov_guest_sla_delay_ratio",
    "Declared by a service: largest part of the time that its vCPUs may wait to run, in 99 of 100 check periods",
    ({ slaDelay }) => slaDelay,
  );
  addPerService(
    "kvmgov_guest_delay_ratio",
    "Part of the last check period that the vCPUs of a service that declared a delay waited to run",
    ({ delay }) => delay,
  );
  addPerService(
    "kvmgov_guest_delay_periods_total",
    "Check periods of a service that declared a delay",
    ({ periods }) => periods,
    "counter",
  );
  addPerService(
    "kvmgov_guest_delay_exceeded_periods_total",
    "Check periods in which a service waited longer than it declared",
    ({ exceeded }) => exceeded,
    "counter",
  );
  add(
    "kvmgov_host_delay_rung",
    "What declared delays leave to scientific guests: 3 as without them, 0 least, 10 most; absent where nobody declared one",
    ["host"],
    (write) => {
      for (const [host, { report }] of views.currentTicks())
        if (report.delayRung !== undefined) write(labelText({ host }), report.delayRung);
    },
  );
}

function addHostFamilies(add: Add, views: Views): void {
  const addPerHost = (name: string, help: string, pick: (tick: Tick) => number): void =>
    add(name, help, ["host"], (write) => {
      for (const [host, tick] of views.currentTicks()) write(labelText({ host }), pick(tick));
    });
  addPerHost(
    "kvmgov_host_available_cores",
    "CPU for scientific guests: what services, host and exempt guests leave",
    ({ report }) => report.availableCores,
  );
  addPerHost(
    "kvmgov_host_sla_oversubscribed",
    "1: the SLAs of the host's guests exceed the host and were scaled down",
    ({ report }) => Number(report.oversubscribed),
  );
  addPerHost("kvmgov_plan_generation", "Generation of the host's plan", ({ plan }) => plan.generation);

  const addTime = (name: string, help: string, pickMs: (view: HostView) => number | undefined): void =>
    add(name, help, ["host"], (write) => {
      for (const [host, view] of views.entries()) {
        const ms = pickMs(view);
        if (ms !== undefined) write(labelText({ host }), ms / 1000);
      }
    });
  addTime(
    "kvmgov_lists_updated_timestamp_seconds",
    "When the lists of the host were last committed, in Unix time",
    ({ tick }) => tick?.decidedAtMs,
  );
  add("kvmgov_host_info", "Name that a host goes by", ["host", "name"], (write) => {
    for (const [host, { announced }] of views.entries()) {
      if (announced !== undefined) write(labelText({ host, name: announced.host.name }), 1);
    }
  });
  addTime(
    "kvmgov_host_announced_timestamp_seconds",
    "When the host last announced itself, in Unix time",
    ({ announced }) => announced?.receivedAtMs,
  );
}

function managedGuests(views: Views): [string, ManagedReport][] {
  const guests: [string, ManagedReport][] = [];
  for (const [host, { report }] of views.currentTicks()) {
    for (const guest of report.guests) if (isManaged(guest)) guests.push([host, guest]);
  }
  return guests;
}

function isManaged(guest: GuestReport): guest is ManagedReport {
  return guest.class !== "exempt";
}
