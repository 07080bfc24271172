/** A small fleet that publishes samples as collectors do: what each guest does is a function of the tick. */
import type { Applied, CpuTopology, GuestSample, Host, Sample } from "@kvm-governor/policy";
import { machine } from "../../packages/policy/src/testing/topologies.ts";
import { BOOT, guestSample } from "../../services/classifier/src/testing/samples.ts";
import type { GuestUse } from "../../services/classifier/src/testing/samples.ts";
import type { ControlPlane } from "./control-plane.ts";

export interface FleetHost {
  id: string;
  name: string;
  topology: readonly CpuTopology[];
  /** What its guests do in a tick; they are numbered from 1. */
  guests: (tick: number) => readonly (GuestUse & Partial<Omit<GuestSample, keyof GuestUse>>)[];
  /** Use by the host itself, in cores. */
  hostRun?: number;
  unreadable?: Sample["unreadable"];
}

/** Two packages of four cores with two threads each. */
export const SIXTEEN_CPUS: readonly CpuTopology[] = machine({ packages: 2, coresPerLlc: 4, threads: 2 });

export class ConsoleFleet {
  readonly #plane: ControlPlane;
  readonly #hosts: readonly FleetHost[];
  #tick = 0;

  constructor(plane: ControlPlane, hosts: readonly FleetHost[]) {
    this.#plane = plane;
    this.#hosts = hosts;
  }

  get ticks(): number {
    return this.#tick;
  }

  async announce(): Promise<void> {
    for (const host of this.#hosts) await this.#plane.publish("host", host.id, announcement(host));
  }

  /** One period of all hosts. @param only publishes for these hosts alone: the others are silent */
  async tick(only?: readonly string[]): Promise<void> {
    this.#tick += 1;
    for (const host of this.#hosts)
      if (only === undefined || only.includes(host.id))
        await this.#plane.publish("sample", host.id, this.#sample(host));
  }

  /** An actuator's report that everything is in force, or what is given. */
  async applied(id: string, rest: Partial<Applied> = {}): Promise<void> {
    const plan = await this.#plane.plan(id);
    const report: Applied = {
      schema: 1,
      host: id,
      bootId: BOOT,
      generation: plan?.generation ?? 0,
      sequence: plan?.sequence ?? 0,
      readBackAtUs: (plan?.sequence ?? 0) + 11_000,
      verified: 12,
      writes: [],
      drift: [],
      skipped: [],
      ...rest,
    };
    await this.#plane.publish("applied", id, report);
  }

  #sample({ id, topology, guests, hostRun = 0.2, unreadable = [] }: FleetHost): Sample {
    return {
      schema: 1,
      host: id,
      bootId: BOOT,
      // Of a host that has been up for a day, and never twice the same, also after a restart of the test.
      sequence: Date.now() * 1000 - 1_700_000_000_000_000,
      wallTimeMs: Date.now(),
      periodMs: 1000,
      cpus: topology.filter(({ isolated }) => !isolated).map(({ cpu }) => cpu),
      hostRun,
      pressure: 0.04,
      guests: guests(this.#tick).map(({ run, delay, vcpus, name, declared, ...rest }, i) => ({
        ...guestSample(i + 1, {
          run,
          ...(delay !== undefined && { delay }),
          ...(vcpus !== undefined && { vcpus }),
          ...(name !== undefined && { name }),
          ...(declared !== undefined && { declared }),
        }),
        ...rest,
      })),
      unreadable,
    };
  }
}

function announcement({ id, name, topology }: FleetHost): Host {
  return {
    schema: 1,
    host: id,
    name,
    bootId: BOOT,
    wallTimeMs: Date.now(),
    kernel: "6.12.48+deb13-amd64",
    cgroupVersion: 2,
    topology: [...topology],
    capabilities: ["cpu.idle", "perf", "psi"],
    metrics: {},
  };
}
