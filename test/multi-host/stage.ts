/** Three hosts and one control plane, on a network of their own. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Guest, GuestSpec } from "@kvm-governor/lab";
import type { Plan } from "@kvm-governor/policy";
import { ControlPlane } from "../support/control-plane.ts";
import type { ServiceProcess } from "../support/service-process.ts";
import { waitFor } from "../support/service-process.ts";
import { Host } from "./host.ts";
import { Network } from "./network.ts";

export const PERIOD_MS = 500;
export const PLAN_TTL_MS = 3000;
/** More crossings than this move a guest. */
export const BETA = 20;

const DAY_S = 86_400;
/** Their clocks have nothing to do with each other; the wall clock of the last is an hour slow. */
const HOSTS = [
  { name: "host-a", uptimeS: DAY_S },
  { name: "host-b", uptimeS: 10 * DAY_S },
  { name: "host-c", uptimeS: 100 * DAY_S, clockSkewMs: -3_600_000 },
] as const;

/** A host with its two services, and a guest on it that is always held: declared scientific. */
export interface Manned {
  host: Host;
  collector: ServiceProcess;
  actuator: ServiceProcess;
  batch: Guest;
  /** What the guest's files were before any service ran. */
  untouched: Record<string, string>;
}

export class Stage {
  readonly plane: ControlPlane;
  readonly classifiers: readonly ServiceProcess[];
  readonly hosts: readonly [Manned, Manned, Manned];
  readonly network: Network;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: Pick<Stage, "plane" | "classifiers" | "hosts" | "network">,
    stack: AsyncDisposableStack,
  ) {
    this.plane = parts.plane;
    this.classifiers = parts.classifiers;
    this.hosts = parts.hosts;
    this.network = parts.network;
    this.#stack = stack;
  }

  /** Everything is up, and every host's guest held. */
  static async start(): Promise<Stage> {
    await using stack = new AsyncDisposableStack();
    const dir = mkdtempSync(path.join(tmpdir(), `kvmgov-hosts-${process.pid}-`));
    stack.defer(() => rmSync(dir, { recursive: true, force: true }));
    const network = await Network.start();
    stack.defer(() => network.stop());
    const plane = await ControlPlane.start({ address: network.address }, "", "::1");
    stack.defer(() => plane.stop());
    const settings = {
      KVMGOV_LISTEN: "[::1]:0",
      KVMGOV_CHECK_PERIOD_MS: String(PERIOD_MS),
      KVMGOV_PLAN_TTL_MS: String(PLAN_TTL_MS),
      KVMGOV_BETA: String(BETA),
    };
    const classifiers = [await plane.classifier(settings), await plane.classifier(settings)];
    const starts = await Promise.allSettled(
      HOSTS.map(async (options) => {
        const { url, user, password } = plane.nats;
        const env = { KVMGOV_NATS_URL: url, KVMGOV_NATS_USER: user, KVMGOV_NATS_PASSWORD: password };
        const host = await Host.start({ ...options, dir: path.join(dir, options.name), network, env });
        stack.use(host);
        return man(host);
      }),
    );
    // Only now: what the others started must be known to the stack, which ends it.
    const hosts = starts.map((start) => {
      if (start.status === "rejected") throw start.reason;
      return start.value;
    });
    const [a, b, c] = hosts;
    if (a === undefined || b === undefined || c === undefined) throw new Error("three hosts");
    const stage = new Stage({ plane, classifiers, hosts: [a, b, c], network }, stack.move());
    try {
      for (const { host } of hosts) await stage.held(host, 30_000);
    } catch (error) {
      await stage.stop();
      throw error;
    }
    return stage;
  }

  /** Waits until a host's guest is held. @returns how long that took, in periods */
  async held({ id }: Host, timeoutMs: number): Promise<number> {
    const manned = this.hosts.find(({ host }) => host.id === id);
    const fromMs = performance.now();
    await waitFor(
      `the guest of ${manned?.host.name} is held`,
      timeoutMs,
      () => (manned && isHeld(manned)) || undefined,
    );
    return (performance.now() - fromMs) / PERIOD_MS;
  }

  plan({ id }: Host): Promise<Plan | undefined> {
    return this.plane.plan(id);
  }

  /** Class and crossing count of a guest on a host, from Redis; undefined: not there. */
  async stored({ id }: Host, uuid: string): Promise<{ class: string; count: number } | undefined> {
    const { class: list, count } = await this.plane.redis.hgetall(`kvmgov:{${id}}:guest:${uuid}`);
    return list === undefined ? undefined : { class: list, count: Number(count) };
  }

  stop(): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

async function man(host: Host): Promise<Manned> {
  const spec: GuestSpec = {
    name: "batch",
    uuid: randomUUID(),
    load: { percent: 10 },
    policy: { class: "scientific" },
  };
  const batch = await host.libvirt.defineAndStart(spec);
  const untouched = host.state(batch);
  const actuator = await host.actuator();
  const collector = await host.collector({ KVMGOV_CHECK_PERIOD_MS: String(PERIOD_MS) });
  return { host, collector, actuator, batch, untouched };
}

/** Whether the kernel holds the host's guest otherwise than it was found. */
export function isHeld({ host, batch, untouched }: Manned): boolean {
  return JSON.stringify(host.state(batch)) !== JSON.stringify(untouched);
}
