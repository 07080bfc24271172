/**
 * Which hosts this process works off just now: those of which the last message came on a partition that is ours. What of them is
 * remembered goes with the partition; and what was still in work when it went is not remembered any more.
 */
import { UNPARTITIONED, partitionOf } from "@kvm-governor/policy";

export class OwnHosts {
  /** By host: the partition that it came by. */
  readonly #hosts = new Map<string, number>();

  has(host: string): boolean {
    return this.#hosts.has(host);
  }

  /** A message of a host came. Those of hosts of version 0.1 name no partition, and come by one of their own. */
  heard({ host, subject }: { host: string; subject: string }): void {
    if (host === "") return;
    const isNamed = subject.split(".").length > SUBJECT_TOKENS;
    this.#hosts.set(host, isNamed ? partitionOf(host) : UNPARTITIONED);
  }

  /** @returns whether a host is among those that went */
  release(partitions: ReadonlySet<number>): (host: string) => boolean {
    const gone = new Set<string>();
    for (const [host, partition] of this.#hosts) if (partitions.has(partition)) gone.add(host);
    for (const host of gone) this.#hosts.delete(host);
    return (host) => gone.has(host);
  }
}

/** Of a subject without partition: `kvmgov.v1.sample.<host>`. */
const SUBJECT_TOKENS = 4;
