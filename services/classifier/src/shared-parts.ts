/**
 * One copy of what many guests have alike in their plans: reasons, lists of CPUs, and how their vCPUs are held. Most guests of a fleet are
 * held in the same few ways for the same few reasons, and each sample, and each plan that is read, brings new copies.
 */
import type { GuestPlan, Plan, Reason } from "@kvm-governor/policy";
import { isSameList } from "./memory/kept-samples.ts";

type Cpus = GuestPlan["emulatorCpus"];
type Vcpus = GuestPlan["vcpus"];

/** More than a fleet has at a time; then it begins anew, which costs memory, nothing else. */
const KEPT_MAX = 20_000;

export class SharedParts {
  readonly #reasons = new Map<string, Reason>();

  get size(): number {
    return this.#reasons.size;
  }

  /** Replaces what a plan does not share with the one before by the copies that are kept. */
  share(plan: Plan, before: Plan | undefined): void {
    const held = new HeldAlike();
    for (const [at, guest] of plan.guests.entries()) {
      const old = before?.guests[at];
      if (old === guest) continue;
      if (old?.reasons !== guest.reasons)
        for (const [place, reason] of guest.reasons.entries()) guest.reasons[place] = this.#of(reason);
      if (old?.vcpus !== guest.vcpus) held.share(guest);
    }
  }

  #of(reason: Reason): Reason {
    const known = this.#reasons.get(reason.text);
    if (known?.code === reason.code) return known;
    if (this.#reasons.size >= KEPT_MAX) this.#reasons.clear();
    this.#reasons.set(reason.text, reason);
    return reason;
  }
}

/** Guests of one plan. */
class HeldAlike {
  /** The longest first of each length: lists of CPUs that several guests share are few in a plan. */
  readonly #lists = new Map<number, Cpus & readonly number[]>();
  readonly #vcpus = new Map<string, Vcpus>();

  share(guest: GuestPlan): void {
    guest.emulatorCpus = this.#list(guest.emulatorCpus);
    guest.ioThreadCpus = this.#list(guest.ioThreadCpus);
    for (const vcpu of guest.vcpus) vcpu.cpus = this.#list(vcpu.cpus);
    guest.vcpus = this.#alike(guest.vcpus);
  }

  #list(cpus: Cpus): Cpus {
    if (cpus === "baseline" || cpus.length === 1) return cpus;
    const known = this.#lists.get(cpus.length);
    if (known === cpus || (known !== undefined && isSameList(known, cpus))) return known;
    this.#lists.set(cpus.length, cpus);
    return cpus;
  }

  /** Of vCPUs that are all held the same way, which is most. */
  #alike(vcpus: Vcpus): Vcpus {
    const [first] = vcpus;
    if (first === undefined) return vcpus;
    const { bandwidth, cpus } = first;
    if (!vcpus.every((vcpu, at) => vcpu.index === at && vcpu.bandwidth === bandwidth && vcpu.cpus === cpus))
      return vcpus;
    const key = `${vcpus.length} ${bandwidth} ${cpus === "baseline" ? cpus : cpus.length}`;
    const known = this.#vcpus.get(key);
    if (known?.[0]?.cpus === cpus) return known;
    this.#vcpus.set(key, vcpus);
    return vcpus;
  }
}
