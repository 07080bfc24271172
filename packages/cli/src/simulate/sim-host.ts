/**
 * A host that is not there: it speaks the contracts as collector and actuator do, and its guests run as demand, the plan
 * that is in force and the other guests let them. Time and randomness are given.
 */
import { CONTRACT_VERSION } from "@kvm-governor/policy";
import type { Applied, GuestPlan, GuestSample, Host, Plan, Sample } from "@kvm-governor/policy";
import { shareCpus } from "./cpu-share.ts";
import type { VcpuDemand } from "./cpu-share.ts";
import { demandAt, demandOfVcpus } from "./demand.ts";
import type { Series } from "./demand.ts";

export interface SimHostOptions {
  id: string;
  bootId: string;
  guests: number;
  vcpus: number;
  cpus: number;
  /** What guests want; each takes one of them, from a point of its own. */
  series: readonly Series[];
  random: () => number;
  /** How much faster than real time the series go by. */
  speed: number;
}

interface SimGuest {
  uuid: string;
  name: string;
  pid: number;
  series: Series;
  startMs: number;
  declared: GuestSample["declared"];
}

/** What a plan says of itself before its guests: enough to renew one that is held already. */
export interface PlanHead {
  generation: number;
  sequence: number;
  expiresAtUs: number;
  bootId: string;
}

export type Verdict = "followed" | "renewed" | "older" | "expired" | "other-boot";

const TOPOLOGY_CORES_A_CACHE = 8;

export class SimHost {
  readonly id: string;
  readonly #options: SimHostOptions;
  readonly #guests: SimGuest[];
  readonly #cpus: number[];
  #plan: { head: PlanHead; guests: Map<string, GuestPlan> } | undefined;
  /** Highest seen, also of a plan that is void by now. */
  #last: PlanHead | undefined;

  constructor(options: SimHostOptions) {
    this.id = options.id;
    this.#options = options;
    this.#cpus = Array.from({ length: options.cpus }, (_, cpu) => cpu);
    this.#guests = Array.from({ length: options.guests }, (_, n) => this.#makeGuest(n));
  }

  get bootId(): string {
    return this.#options.bootId;
  }

  /** Generation of the plan in force; undefined: all guests are at their baseline. */
  get generation(): number | undefined {
    return this.#plan?.head.generation;
  }

  /** A plan that is not renewed in time is void: everything as before us. @returns whether that happened just now */
  expire(nowUs: number): boolean {
    if (this.#plan === undefined || nowUs < this.#plan.head.expiresAtUs) return false;
    this.#plan = undefined;
    return true;
  }

  /** What a plan changes here, judged as an actuator does. `read` gives the guests, which a renewal does not need. */
  obey(head: PlanHead, nowUs: number, read: () => Plan): Verdict {
    const last = this.#last;
    if (head.bootId !== this.#options.bootId) return "other-boot";
    if (head.expiresAtUs <= nowUs) return "expired";
    if (last !== undefined && (head.generation < last.generation || head.sequence < last.sequence))
      return "older";
    this.#last = head;
    if (this.#plan?.head.generation === head.generation) {
      this.#plan.head = head;
      return "renewed";
    }
    this.#plan = { head, guests: new Map(read().guests.map((guest) => [guest.uuid, guest])) };
    return "followed";
  }

  /** What the actuator would report on the plan in force. */
  applied(nowUs: number, switchFired?: Applied["switchFired"]): Applied {
    return {
      schema: CONTRACT_VERSION,
      host: this.id,
      bootId: this.#options.bootId,
      generation: this.#last?.generation ?? 0,
      sequence: this.#last?.sequence ?? 0,
      readBackAtUs: nowUs,
      verified: this.#options.guests * this.#options.vcpus,
      writes: [],
      drift: [],
      skipped: [],
      ...(switchFired !== undefined && { switchFired }),
    };
  }

  /** @param elapsedMs since the simulation began; @param nowUs CLOCK_BOOTTIME of this host */
  sample(elapsedMs: number, nowUs: number, wallTimeMs: number, periodMs: number): Sample {
    const demands = this.#demands(elapsedMs);
    const run = shareCpus(demands, this.#options.cpus);
    return {
      schema: CONTRACT_VERSION,
      host: this.id,
      bootId: this.#options.bootId,
      sequence: nowUs,
      wallTimeMs,
      periodMs,
      cpus: this.#cpus,
      hostRun: sixDigits(0.2 + 0.1 * this.#options.random()),
      pressure: 0,
      guests: this.#guests.map((guest, at) => this.#guestSample(guest, at, demands, run)),
      unreadable: [],
    };
  }

  announcement(wallTimeMs: number): Host {
    return {
      schema: CONTRACT_VERSION,
      host: this.id,
      name: `${this.id}.simulated`,
      bootId: this.#options.bootId,
      wallTimeMs,
      kernel: "simulated",
      cgroupVersion: 2,
      topology: this.#cpus.map((cpu) => ({
        cpu,
        package: 0,
        node: 0,
        llc: cpu - (cpu % TOPOLOGY_CORES_A_CACHE),
        core: cpu,
        isolated: false,
      })),
      capabilities: ["cpu.idle"],
      metrics: {},
    };
  }

  #makeGuest(n: number): SimGuest {
    const { id, series, random } = this.#options;
    const own = series[Math.floor(random() * series.length)];
    if (own === undefined) throw new RangeError("no series of demand");
    return {
      uuid: uuidOf(random),
      name: `${id}-guest-${n}`,
      pid: 1000 + n,
      series: own,
      startMs: random() * own.values.length * own.intervalMs,
      declared: n % 3 === 0 ? { class: "auto" } : { class: "auto", slaCores: 0.25, source: "rule 1" },
    };
  }

  #demands(elapsedMs: number): VcpuDemand[] {
    const { vcpus, speed } = this.#options;
    const demands: VcpuDemand[] = [];
    for (const { uuid, series, startMs } of this.#guests) {
      const plan = this.#plan?.guests.get(uuid);
      const wanted = demandOfVcpus(demandAt(series, startMs + elapsedMs * speed), vcpus, series.shape);
      for (const [index, each] of wanted.entries()) {
        const held = plan?.vcpus[index];
        const cpus = held?.cpus;
        demands.push({
          wanted: each,
          limit: typeof held?.bandwidth === "number" ? held.bandwidth : 1,
          isIdle: plan?.weight === "idle",
          cpus: cpus === undefined || cpus === "baseline" ? "all" : cpus,
        });
      }
    }
    return demands;
  }

  #guestSample(
    guest: SimGuest,
    at: number,
    demands: readonly VcpuDemand[],
    run: readonly number[],
  ): GuestSample {
    const { vcpus, random } = this.#options;
    return {
      uuid: guest.uuid,
      name: guest.name,
      pid: guest.pid,
      startTime: 1000 + at,
      state: "running",
      declared: guest.declared,
      vcpus: Array.from({ length: vcpus }, (_, index) => {
        const own = at * vcpus + index;
        const { wanted = 0, limit = 1 } = demands[own] ?? {};
        const ran = run[own] ?? 0;
        const throttled = Math.max(0, wanted - Math.max(limit, ran));
        return {
          index,
          run: sixDigits(ran),
          // The time it wanted and did not get; includes throttled time, as in the kernel.
          delay: sixDigits(Math.max(0, wanted - ran)),
          switches: Math.floor(20 + 200 * random()),
          migrations: Math.floor(3 * random()),
          ...(limit < 1 && { throttled: sixDigits(throttled) }),
        };
      }),
      otherRun: sixDigits(0.01 * random()),
    };
  }
}

/** As the collector: a millionth of a core is below what can be measured. */
const sixDigits = (value: number): number => Math.round(value * 1e6) / 1e6;

function uuidOf(random: () => number): string {
  const hex = (digits: number): string =>
    Math.floor(random() * 16 ** digits)
      .toString(16)
      .padStart(digits, "0");
  return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;
}
