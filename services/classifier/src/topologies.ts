/** How the CPUs of each host lie, from its newest announcement. */
import { Topology } from "@kvm-governor/policy";
import type { Host, Sample } from "@kvm-governor/policy";

interface Known {
  host: Pick<Host, "bootId" | "topology">;
  /** Made when the first sample asks for it: a fleet announces itself all at once. */
  topology: Topology | undefined;
}

export class Topologies {
  readonly #hosts = new Map<string, Known>();

  announced(host: Host): void {
    const known = this.#hosts.get(host.host);
    // Heartbeats say the same again and again.
    const isSame = known !== undefined && isSameTopology(known.host, host);
    this.#hosts.set(host.host, { host, topology: isSame ? known.topology : undefined });
  }

  /** @returns undefined where it is not known, or only of another boot: CPUs may have changed their numbers */
  of({ host, bootId }: Pick<Sample, "host" | "bootId">): Topology | undefined {
    const known = this.#hosts.get(host);
    if (known === undefined || known.host.bootId !== bootId) return undefined;
    return (known.topology ??= new Topology(known.host.topology));
  }
}

function isSameTopology(a: Known["host"], b: Known["host"]): boolean {
  if (a.topology.length !== b.topology.length) return false;
  return JSON.stringify(a.topology) === JSON.stringify(b.topology);
}
