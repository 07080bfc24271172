/** How an entitlement is held in the kernel: the settings of one guest under a preset. */
import type { Bandwidth, Cpus, GuestPlan, Weight } from "../contracts/plan.ts";
import type { GuestSample } from "../contracts/sample.ts";
import type { GuestClass } from "../contracts/fields.ts";
import type { Settings } from "../settings.ts";
import { suffices } from "./allocate.ts";
import type { Rung } from "./delay-ladder.ts";
import { maxMinFair } from "./max-min.ts";
import type { Placement } from "./place.ts";

/** The settings of a guest: the part of its plan that is written to the kernel. */
export type Hold = Pick<GuestPlan, "vcpus" | "weight" | "emulatorCpus" | "ioThreadCpus" | "periodUs">;

export interface HoldInput {
  guest: GuestSample;
  class: GuestClass;
  entitlementCores: number;
  /** Most that the guest can use: an entitlement to that needs no cap. */
  mostCores: number;
  /** Wanted by each vCPU, 0 to 1. */
  vcpuDemand: readonly number[];
  /** What it is promised, where an SLA is declared. */
  slaCores: number | undefined;
  /** What all scientific guests are promised together. */
  scientificSlaCores: number;
  placement: Placement;
  /** The CPU of each vCPU, shared with services (apart.ts); undefined: not held apart. */
  apartCpus: readonly number[] | undefined;
  /** Number of service guests, each of weight 1: what a scientific floor is measured against. */
  services: number;
  hostCpus: number;
  /** Scientific guests may not have all that is left: a reserve or a limit on inferred guests is in force. */
  limited: boolean;
  /** It is a service that may not have more than its SLA now (service-limit.ts). */
  slaIsLimit: boolean;
  /** Weight of scientific guests that have no larger one by their SLA. */
  rank: Rung["weight"];
  /** Most that a scientific guest may have while services wait too long; undefined: no such limit. */
  capCores: number | undefined;
  before: Hold | undefined;
}

export function hold(input: HoldInput, settings: Settings): Hold {
  const cpus = cpusOf(input);
  const bandwidth = bandwidthOf(input, settings);
  const others =
    input.placement.exclusive.size === 0
      ? "baseline"
      : within(input.guest.allowedCpus, input.placement.shared);
  const capped = bandwidth.some((value) => typeof value === "number");
  return {
    vcpus: input.guest.vcpus.map((vcpu, i) => ({
      index: vcpu.index,
      bandwidth: bandwidth[i] ?? "baseline",
      cpus: cpus[i] ?? "baseline",
    })),
    weight: weightOf(input, settings),
    emulatorCpus: others,
    ioThreadCpus: others,
    ...(capped ? { periodUs: settings.bandwidthPeriodUs } : {}),
  };
}

/** A service guest without an SLA is never capped and never touched; a vCPU alone on its CPU needs no quota. */
function bandwidthOf(input: HoldInput, settings: Settings): Bandwidth[] {
  const same = (value: Bandwidth): Bandwidth[] => input.guest.vcpus.map(() => value);
  if (input.class === "service" && input.slaCores === undefined) return same("baseline");
  if (input.placement.exclusive.has(input.guest.uuid)) return same("unlimited");
  const isLimited =
    settings.preset === "paper" || input.slaIsLimit || (input.class === "scientific" && input.limited);
  if (!isLimited && input.capCores !== undefined) {
    // The same for each vCPU: it must not move with the load.
    const each = Math.min(1, input.capCores / input.guest.vcpus.length);
    return same(Math.max(settings.minimumVcpuCores, Math.round(each * 1000) / 1000));
  }
  if (!isLimited || suffices(input.entitlementCores, input.mostCores)) return same("unlimited");
  return steady(split(input.entitlementCores, input.vcpuDemand, settings), input.before, settings);
}

/** Per-vCPU bandwidth follows per-vCPU demand: first what each wants, then the rest, one core at most. */
function split(amount: number, vcpuDemand: readonly number[], settings: Settings): number[] {
  const least = settings.minimumVcpuCores;
  const wanted = maxMinFair(
    amount,
    vcpuDemand.map((demand) => ({ floor: least, ceiling: Math.max(least, demand) })),
  );
  const given = maxMinFair(
    amount,
    wanted.map((floor) => ({ floor, ceiling: 1 })),
  );
  return given.map((value) => Math.max(least, Math.round(value * 1000) / 1000));
}

/** Dead band: amounts that hardly differ from the last ones stay as they were. Without a limit a vCPU has its core. */
function steady(values: readonly number[], before: Hold | undefined, settings: Settings): Bandwidth[] {
  if (before?.vcpus.length !== values.length) return [...values];
  const near = before.vcpus.every(({ bandwidth }, i) => {
    if (bandwidth === "baseline") return false;
    const cores = bandwidth === "unlimited" ? 1 : bandwidth;
    return Math.abs(cores - (values[i] ?? 0)) < settings.deadBandCores && cores >= settings.minimumVcpuCores;
  });
  return near ? before.vcpus.map((vcpu) => vcpu.bandwidth) : [...values];
}

/**
 * Preset `default`: scientific guests rank below services, so that these get their CPU within a scheduling tick. One
 * with an SLA of its own cannot rank below everybody: it gets the weight that is worth its SLA while all services and
 * all other promised scientific guests are runnable, which suffices for a guest that is always runnable itself. Where services
 * declared delays, the rank is what these leave.
 */
function weightOf(input: HoldInput, settings: Settings): Weight {
  if (settings.preset === "paper" || input.class === "service") return "baseline";
  const sla = input.slaCores ?? 0;
  if (sla === 0) return input.rank;
  const rest = Math.max(input.hostCpus - input.scientificSlaCores, 0.01);
  const weight = (sla / rest) * Math.max(1, input.services);
  const worth = Math.min(100, Math.max(0.01, Math.round(weight * 1000) / 1000));
  return input.rank === "idle" ? worth : Math.max(worth, input.rank);
}

function cpusOf(input: HoldInput): Cpus[] {
  const { guest, placement } = input;
  const own = placement.exclusive.get(guest.uuid) ?? input.apartCpus;
  if (own !== undefined) return guest.vcpus.map((_, i) => [own[i] ?? own[0] ?? 0]);
  if (placement.exclusive.size === 0) return guest.vcpus.map(() => "baseline");
  const shared = within(guest.allowedCpus, placement.shared);
  return guest.vcpus.map(({ allowedCpus }) =>
    allowedCpus === undefined ? shared : within(allowedCpus, placement.shared),
  );
}

/** Always inside the pins that the guest's configuration asks for. Both ascend: large hosts have many guests. */
function within(pins: readonly number[] | undefined, cpus: readonly number[]): Cpus {
  // One list for all guests: copies would cost more than the rest of the decision, and nobody changes a plan.
  if (pins === undefined) return cpus.length === 0 ? "baseline" : (cpus as number[]);
  const open: number[] = [];
  let at = 0;
  for (const cpu of cpus) {
    while ((pins[at] ?? Infinity) < cpu) at += 1;
    if (pins[at] === cpu) open.push(cpu);
  }
  return open.length === 0 ? "baseline" : open;
}

export function isSameHold(a: Hold, b: Hold): boolean {
  if (a.weight !== b.weight || a.periodUs !== b.periodUs || a.vcpus.length !== b.vcpus.length) return false;
  if (!isSameCpus(a.emulatorCpus, b.emulatorCpus) || !isSameCpus(a.ioThreadCpus, b.ioThreadCpus))
    return false;
  // The lists that were found alike last: mostly all vCPUs of a guest have the same one.
  let alike: readonly [Cpus, Cpus] = [a.emulatorCpus, b.emulatorCpus];
  return a.vcpus.every((vcpu, i) => {
    const other = b.vcpus[i];
    if (other === undefined || vcpu.index !== other.index || vcpu.bandwidth !== other.bandwidth) return false;
    if (vcpu.cpus === alike[0] && other.cpus === alike[1]) return true;
    alike = [vcpu.cpus, other.cpus];
    return isSameCpus(vcpu.cpus, other.cpus);
  });
}

function isSameCpus(a: Cpus, b: Cpus): boolean {
  if (a === b) return true;
  if (a === "baseline" || b === "baseline" || a.length !== b.length) return false;
  return a.every((cpu, i) => cpu === b[i]);
}
