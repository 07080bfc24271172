/** The store in the memory of one process: for tests, and the model that the Redis store is tested against. */
import type { HostState } from "@kvm-governor/policy";
import {
  afterCommit,
  emptyHost,
  type CommitOptions,
  type CommitResult,
  type HostLists,
  type Store,
  type StoredHost,
} from "./store.ts";

export class MemoryStore implements Store {
  readonly #hosts = new Map<string, StoredHost>();

  async read(host: string): Promise<StoredHost> {
    return structuredClone(this.#hosts.get(host) ?? emptyHost);
  }

  async commit(
    host: string,
    base: StoredHost,
    next: HostState,
    options: CommitOptions = {},
  ): Promise<CommitResult> {
    const held = this.#hosts.get(host) ?? emptyHost;
    if (held.token !== base.token) return { kind: "conflict" };
    const stored = afterCommit(base, structuredClone(next), options.heardAtMs);
    this.#hosts.set(host, stored);
    return { kind: "committed", stored: structuredClone(stored) };
  }

  async lists(host: string): Promise<HostLists> {
    const lists: HostLists = { service: [], scientific: [] };
    const guests = this.#hosts.get(host)?.state?.guests ?? {};
    for (const [uuid, guest] of Object.entries(guests)) lists[guest.class].push(uuid);
    lists.service.sort();
    lists.scientific.sort();
    return lists;
  }

  async hosts(): Promise<string[]> {
    return [...this.#hosts.keys()].sort();
  }

  async heardAt(hosts: readonly string[]): Promise<(number | undefined)[]> {
    return hosts.map((host) => this.#hosts.get(host)?.heardAtMs);
  }

  async forget(host: string, base: StoredHost): Promise<boolean> {
    if ((this.#hosts.get(host) ?? emptyHost).token !== base.token) return false;
    this.#hosts.delete(host);
    return true;
  }
}
