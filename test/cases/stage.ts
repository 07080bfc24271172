/** What the cases of one host share: the host, the bus, four guests, and how these were before anything was written. */
import type { GuestPlan } from "@kvm-governor/policy";
import type { CaseGuest, CaseHost, KernelState } from "./case-host.ts";
import { heldPlan } from "./guest-plans.ts";
import { Plane, type Governed } from "./plane.ts";

export type StageGuests = Record<"plain" | "tuned" | "pinned" | "pair", CaseGuest>;

/** Defines a test; with `lack`, one that is skipped for that reason. */
export type It = (what: string, body: (stage: Stage) => Promise<void>, lack?: string) => void;

export class Stage {
  readonly host: CaseHost;
  readonly plane: Plane;
  guests: StageGuests;
  /** Of all guests. */
  untouched: KernelState;

  private constructor(host: CaseHost, plane: Plane, guests: StageGuests, untouched: KernelState) {
    this.host = host;
    this.plane = plane;
    this.guests = guests;
    this.untouched = untouched;
  }

  /** Starts all of it on a host, which is stopped where that fails. */
  static async start(host: CaseHost): Promise<Stage> {
    try {
      const plane = await Plane.start();
      const guests = await startGuests(host);
      return new Stage(host, plane, guests, await host.kernelState(Object.values(guests)));
    } catch (error) {
      await host.stop();
      throw error;
    }
  }

  all(): CaseGuest[] {
    return Object.values(this.guests);
  }

  state(): Promise<KernelState> {
    return this.host.kernelState(this.all());
  }

  heldAll(): GuestPlan[] {
    return this.all().map(heldPlan);
  }

  governed(): Governed {
    return this.plane.on(this.host);
  }

  /** The same guests again, after a boot. */
  async startGuests(): Promise<void> {
    this.guests = await startGuests(this.host);
    this.untouched = await this.state();
  }

  async stop(): Promise<void> {
    await this.plane[Symbol.asyncDispose]();
    await this.host.stop();
  }
}

/** Guests whose settings are not the defaults, each in another way. Those that are defined already are started. */
async function startGuests(host: CaseHost): Promise<StageGuests> {
  const cputune = { shares: 512, quotaUs: 80_000, periodUs: 200_000 };
  const guests = {
    plain: await host.defineAndStart({ name: `case:a,b="c"`, iothreads: 1 }),
    tuned: await host.defineAndStart({ name: "case-tuned", cputune }),
    // A guest with a CPU of its own is left alone unless a class is declared for it.
    pinned: await host.defineAndStart({
      name: "case-pinned",
      policy: { class: "service" },
      cputune: { vcpupin: [{ vcpu: 0, cpuset: "1" }] },
    }),
    pair: await host.defineAndStart({ name: "case-pair", vcpus: 2 }),
  };
  // One vCPU with an affinity of its own, which libvirt does not know about.
  await host.setAffinity(guests.pair.vcpuTids[1] ?? 0, [1]);
  return guests;
}
