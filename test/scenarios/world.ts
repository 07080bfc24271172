/** A host of a scenario: what its guests do, and what the classifier decides on it, period after period. */
import { decide, settingsSchema } from "@kvm-governor/policy";
import type { Declared, Decision, GuestSample, HostState, Sample, Settings } from "@kvm-governor/policy";
import { ScenarioError } from "./script.ts";
import type { State, Step, Use } from "./script.ts";

interface Guest {
  uuid: string;
  name: string;
  pid: number;
  vcpus: number;
  declared: Declared;
  allowedCpus?: number[];
  state: State;
  uses: readonly Use[];
  /** Held back by the bandwidth of the plan. */
  closedLoop: boolean;
}

export type Decided = Extract<Decision, { kind: "decided" }>;

export class World {
  readonly #guests = new Map<string, Guest>();
  #settings: Settings = settingsSchema.parse({});
  #state: HostState | undefined;
  #cpus = 2;
  #usedCores = 0;
  #arrivals = 0;
  ticks = 0;

  /** Takes a step that is no tick. */
  take(step: Exclude<Step, { kind: "tick" | "show" }>): void {
    switch (step.kind) {
      case "host":
        this.#cpus = step.cpus;
        this.#usedCores = step.usedCores;
        break;
      case "set":
        this.#settings = settingsSchema.parse({ ...this.#settings, [step.key]: step.value });
        break;
      case "guest":
        this.#arrive(step);
        break;
      case "load":
      case "wants":
        Object.assign(this.#guest(step), { uses: step.uses, closedLoop: step.kind === "wants" });
        break;
      case "state":
        this.#guest(step).state = step.state;
        break;
      case "restart":
        this.#guest(step).pid += 1000;
        break;
      case "gone":
        this.#guest(step);
        this.#guests.delete(step.name);
    }
  }

  tick(): Decided {
    this.ticks += 1;
    const decision = decide(this.#state, this.#sample(), this.#settings);
    if (decision.kind === "repeated") throw new Error(`tick ${this.ticks} was taken for a repeated one`);
    this.#state = decision.next;
    return decision;
  }

  #arrive({ line, name, vcpus, declared, allowedCpus }: Extract<Step, { kind: "guest" }>): void {
    if (this.#guests.has(name)) throw new ScenarioError(line, `${name} is there already`);
    this.#arrivals += 1;
    this.#guests.set(name, {
      uuid: `00000000-0000-4000-8000-${String(this.#arrivals).padStart(12, "0")}`,
      name,
      pid: 100 + this.#arrivals,
      vcpus,
      declared,
      ...(allowedCpus === undefined ? {} : { allowedCpus }),
      state: "running",
      uses: [{ run: 0, delay: 0 }],
      closedLoop: false,
    });
  }

  #guest({ line, name }: { line: number; name: string }): Guest {
    const guest = this.#guests.get(name);
    if (guest === undefined) throw new ScenarioError(line, `no guest ${name}`);
    return guest;
  }

  #sample(): Sample {
    const guests = [...this.#guests.values()];
    return {
      schema: 1,
      host: "scenario",
      bootId: "0b5a7a0e-0001-4000-8000-000000000001",
      sequence: this.ticks * this.#settings.checkPeriodMs * 1000,
      wallTimeMs: 1_800_000_000_000 + this.ticks * this.#settings.checkPeriodMs,
      periodMs: this.#settings.checkPeriodMs,
      cpus: Array.from({ length: this.#cpus }, (_, cpu) => cpu),
      hostRun: this.#usedCores,
      guests: guests.filter(({ state }) => state !== "unreadable").map((guest) => this.#guestSample(guest)),
      unreadable: guests
        .filter(({ state }) => state === "unreadable")
        .map(({ uuid, name }) => ({ uuid, name, reason: "scenario" })),
    };
  }

  #guestSample({ uuid, name, pid, declared, allowedCpus, state, ...guest }: Guest): GuestSample {
    const plan = this.#state?.plan?.guests.find((planned) => planned.uuid === uuid);
    return {
      uuid,
      name,
      pid,
      startTime: pid,
      state: state === "incomplete" || state === "unreadable" ? "running" : state,
      ...(state === "incomplete" ? { incomplete: true } : {}),
      declared,
      ...(allowedCpus === undefined ? {} : { allowedCpus }),
      vcpus: Array.from({ length: guest.vcpus }, (_, index) => {
        const use = guest.uses[index] ?? guest.uses[0] ?? { run: 0, delay: 0 };
        const bandwidth = plan?.vcpus[index]?.bandwidth;
        if (!guest.closedLoop || typeof bandwidth !== "number" || use.run <= bandwidth)
          return { index, ...use };
        // What wants more than its quota is throttled for the rest of the period.
        return { index, run: bandwidth, delay: 1 - bandwidth };
      }),
      otherRun: 0,
    };
  }
}
