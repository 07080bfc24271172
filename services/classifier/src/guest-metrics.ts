/** Metrics of guests and hosts, from the last decisions: what is gone leaves the page at the next scrape. */
import { labelText, registerFamily } from "@kvm-governor/service-kit";
import type { Logger, WriteSeries } from "@kvm-governor/service-kit";
import type { Registry } from "prom-client";
import type { GuestReport } from "@kvm-governor/policy";
import type { HostView, Tick, Views } from "./views.ts";

type ManagedReport = GuestReport & { class: "service" | "scientific" };

export function registerGuestMetrics(registry: Registry, views: Views, log: Logger): void {
  const add: Add = (name, help, labels, collect) =>
    registerFamily(registry, { name, help, type: "gauge", labels }, collect, (family, error) =>
      log.error({ event: "metric-failed", family, err: error }, `metric ${family} could not be collected`),
    );
  addGuestFamilies(add, views);
  addHostFamilies(add, views);
}

type Add = (
  name: string,
  help: string,
  labels: readonly string[],
  collect: (write: WriteSeries) => void,
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
