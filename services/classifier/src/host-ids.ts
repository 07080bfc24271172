/** Which machines use which host id: hosts that were renamed, reinstalled, or share an id by mistake are named. */
import type { Host } from "@kvm-governor/policy";
import type { Logger } from "@kvm-governor/service-kit";
import { Gauge } from "prom-client";
import type { Registry } from "prom-client";
import { successionOf } from "./identity.ts";
import type { DuplicateHostError } from "./identity.ts";

/** Two machines use one host id. */
export interface HostConflict {
  /** Host names that they announced, as far as they are known. */
  names: string[];
  /** Boot of the machine that is governed; absent: another classifier knows. */
  kept?: string;
  refused?: string;
}

interface Known {
  name: string;
  bootId: string;
  /** When the bus took its last announcement, by its clock. */
  heardAtMs: number;
  /** Names by boot, newest last. */
  boots: Map<string, { name: string; atMs: number }>;
}

interface Seen extends Pick<HostConflict, "kept" | "refused"> {
  atMs: number;
}

/** A conflict that was not seen for this long is over; a machine that was silent for so long is gone. */
const OVER_MS = 300_000;
/** A conflict is logged again after this time. */
const LOG_EVERY_MS = 600_000;
const BOOTS_MAX = 4;
/** Of the collector. */
const HEARTBEAT_MS = 30_000;

export class HostIds {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #hosts = new Map<string, Known>();
  /** Host ids by name. */
  readonly #byName = new Map<string, string>();
  readonly #seen = new Map<string, Seen>();
  readonly #loggedAtMs = new Map<string, number>();

  /** @param now monotonic clock, milliseconds */
  constructor(log: Logger, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /**
   * Takes an announcement.
   * @param heardAtMs when the bus took it, by its clock
   * @returns whether it comes from the machine that is governed, as far as is known
   */
  announced(announced: Host, heardAtMs: number): boolean {
    const { host, name, bootId } = announced;
    const before = this.#hosts.get(host);
    const known: Known = before ?? { name, bootId, heardAtMs, boots: new Map() };
    this.#hosts.set(host, known);
    const atMs = this.#now();
    const earlier = known.boots.get(bootId);
    this.#remember(known, bootId, { name, atMs });
    if (announced.bootTimeUs !== undefined) {
      const sample = { bootId, sequence: announced.bootTimeUs, periodMs: HEARTBEAT_MS };
      const succession = successionOf(known, sample, heardAtMs);
      if (succession === "other-machine") this.#conflict(host, { kept: known.bootId, refused: bootId });
      if (succession === "other-machine" || succession === "late") return false;
    } else if (known.bootId !== bootId && earlier !== undefined && atMs - earlier.atMs < OVER_MS) {
      // A boot that was over and speaks again: two machines take turns. A host that booted never goes back.
      this.#conflict(host, {});
    }
    known.bootId = bootId;
    known.heardAtMs = heardAtMs;
    if (this.#current(host)?.refused === bootId) return false;
    if (this.#current(host) === undefined) this.#named(host, name, before && known.name);
    known.name = name;
    return true;
  }

  /** A sample was refused. */
  duplicate({ host, kept, refused }: DuplicateHostError): void {
    this.#conflict(host, { kept, refused });
  }

  /** Host ids that two machines use now. */
  conflicts(): Map<string, HostConflict> {
    const found = new Map<string, HostConflict>();
    for (const host of this.#seen.keys()) {
      const conflict = this.of(host);
      if (conflict !== undefined) found.set(host, conflict);
    }
    return found;
  }

  of(host: string): HostConflict | undefined {
    const seen = this.#current(host);
    if (seen === undefined) return undefined;
    const { atMs: _atMs, ...boots } = seen;
    const names = [...(this.#hosts.get(host)?.boots.values() ?? [])].map(({ name }) => name);
    return { names: [...new Set(names)].sort(), ...boots };
  }

  forget(host: string): void {
    const name = this.#hosts.get(host)?.name;
    if (name !== undefined && this.#byName.get(name) === host) this.#byName.delete(name);
    this.#hosts.delete(host);
    this.#seen.delete(host);
    this.#loggedAtMs.delete(host);
  }

  #current(host: string): Seen | undefined {
    const seen = this.#seen.get(host);
    if (seen === undefined || this.#now() - seen.atMs < OVER_MS) return seen;
    this.#seen.delete(host);
    return undefined;
  }

  #remember({ boots }: Known, bootId: string, boot: { name: string; atMs: number }): void {
    boots.delete(bootId);
    boots.set(bootId, boot);
    const [oldest] = boots.keys();
    if (boots.size > BOOTS_MAX && oldest !== undefined) boots.delete(oldest);
  }

  #conflict(host: string, boots: Pick<HostConflict, "kept" | "refused">): void {
    const atMs = this.#now();
    this.#seen.set(host, { ...this.#current(host), ...boots, atMs });
    if (atMs - (this.#loggedAtMs.get(host) ?? -Infinity) < LOG_EVERY_MS) return;
    this.#loggedAtMs.set(host, atMs);
    const { names = [], ...rest } = this.of(host) ?? {};
    const who = names.length === 0 ? "two machines" : `two machines (${names.join(", ")})`;
    this.#log.error(
      { event: "host-id-conflict", host, names, ...rest },
      `host id ${host} is used by ${who}: one of them is refused; give it an id of its own (hostId, or its /etc/machine-id)`,
    );
  }

  /** @param before the name that the host had; undefined: it is new here */
  #named(host: string, name: string, before: string | undefined): void {
    const other = this.#byName.get(name);
    this.#byName.set(name, host);
    if (before !== undefined && before !== name) {
      if (this.#byName.get(before) === host) this.#byName.delete(before);
      this.#log.info(
        { event: "host-renamed", host, from: before, to: name },
        `host ${host} is now named ${name}, before ${before}`,
      );
    }
    if (other === undefined || other === host) return;
    this.#log.warn(
      { event: "host-name-taken", host, name, other },
      `host ${host} has the name of host ${other}, ${name}: a host that was reinstalled has a new id, and its old one is ` +
        "forgotten after forgetHostMs; two that run need names of their own",
    );
  }
}

export function exposeConflicts(registry: Registry, ids: Pick<HostIds, "conflicts">): void {
  new Gauge({
    name: "kvmgov_host_id_conflict",
    help: "1: two machines use this host id, one of them is refused; no series: none do",
    labelNames: ["host"],
    registers: [registry],
    collect() {
      this.reset();
      for (const host of ids.conflicts().keys()) this.set({ host }, 1);
    },
  });
}
