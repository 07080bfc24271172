/** Which running guest a plan means, and whether it may be touched. */
import { isSameRun, type Guest, type LiveProcesses } from "@kvm-governor/linux";
import type { GuestPlan, Plan } from "@kvm-governor/policy";
import type { Exemption } from "./exemption.ts";

export interface GuestFinderDeps {
  processes: Pick<LiveProcesses, "runs">;
  /** Guests that run now; looks again when it is asked. The same array until one of them changed. */
  guests: () => readonly Guest[];
  /** Why a guest is never written to, or undefined. */
  exemption: (guest: Guest) => Exemption | undefined;
}

/** Why a guest of a plan is not touched; `code` for metrics. */
export interface NotFound {
  code: "gone" | "restarted" | Exemption["code"];
  reason: string;
}

export class GuestFinder {
  readonly #deps: GuestFinderDeps;
  #guests: ReadonlyMap<string, Guest> = new Map();
  #found: readonly Guest[] | undefined;

  constructor(deps: GuestFinderDeps) {
    this.#deps = deps;
  }

  look(): void {
    const found = this.#deps.guests();
    if (found === this.#found) return;
    this.#found = found;
    this.#guests = new Map(found.map((guest) => [guest.uuid, guest]));
  }

  /** All guests as last seen, by UUID; the same object until one of them changed. */
  get seen(): ReadonlyMap<string, Guest> {
    return this.#guests;
  }

  /** Whether every guest and vCPU of a plan is known already, so that there is no need to look. */
  knows(plan: Plan): boolean {
    return plan.guests.every((wanted) => {
      const guest = this.#guests.get(wanted.uuid);
      if (guest === undefined || !isSameRun(guest, wanted)) return false;
      return wanted.vcpus.every(({ index }) => guest.vcpus.some((vcpu) => vcpu.index === index));
    });
  }

  /** The guest as last seen. */
  get(uuid: string): Guest | undefined {
    return this.#guests.get(uuid);
  }

  /** Why a guest that runs is not to be touched, or undefined. */
  exemption(uuid: string): Exemption | undefined {
    const guest = this.#guests.get(uuid);
    return guest && this.#deps.exemption(guest);
  }

  /** The guest that the plan was made for, in this very run. */
  find(plan: GuestPlan): Guest | NotFound {
    const guest = this.#guests.get(plan.uuid);
    if (guest === undefined) return { code: "gone", reason: "no such guest runs here" };
    if (!this.#deps.processes.runs(guest)) {
      return { code: "gone", reason: `process ${guest.pid} is gone` };
    }
    if (!isSameRun(guest, plan)) {
      const reason = `the plan is for process ${plan.pid}, the guest now runs as ${guest.pid}`;
      return { code: "restarted", reason };
    }
    const exemption = this.#deps.exemption(guest);
    return exemption ?? guest;
  }
}
