/**
 * Machines of a chaos test: as root each has a network namespace of its own on one bridge, so that any of them, or the way between two,
 * can be cut; else all are this machine's loopback. A namespace lives as long as a process that holds it, and that dies with the
 * test, however the test dies: nothing is left behind.
 */
import { readlinkSync } from "node:fs";
import type { ChildProcess } from "node:child_process";
import { endChild, run, spawnGuarded, until } from "../../packages/lab/src/process.ts";

/** One machine. */
export interface Place {
  name: string;
  address: string;
  /** What a command line begins with, so that the program runs there. */
  prefix: readonly string[];
}

interface Namespace extends Place {
  holder: ChildProcess;
  port: string;
}

const LOOPBACK = "127.0.0.1";
const BRIDGE = "br0";
const env = { PATH: process.env["PATH"] };

/** A network of machines, or the loopback of one. */
export class Network {
  readonly canCut: boolean;
  /** Where whoever made the network is reached by the machines on it. */
  readonly ownAddress: string;
  readonly #places = new Map<string, Namespace>();
  readonly #hub: ChildProcess | undefined;
  readonly #subnet: string;

  private constructor(hub: ChildProcess | undefined, subnet: string) {
    this.#hub = hub;
    this.#subnet = subnet;
    this.canCut = hub !== undefined;
    this.ownAddress = hub === undefined ? LOOPBACK : `${subnet}.1`;
  }

  /** All on the loopback: needs no rights, and cannot be cut. */
  static loopback(): Network {
    return new Network(undefined, "127.0.0");
  }

  /** Namespaces. Needs root. @throws {LabError} the kernel refuses */
  static async namespaces(): Promise<Network> {
    const hub = await holder();
    // A range for benchmarks (RFC 2544), which is routed nowhere; several tests may run at once.
    const subnet = `198.18.${1 + (process.pid % 254)}`;
    const network = new Network(hub, subnet);
    try {
      await ip(hub, `link add ${BRIDGE} type bridge forward_delay 0`, `link set ${BRIDGE} up`);
      const own = `kgv${process.pid}`;
      await ip(undefined, `link add ${own} type veth peer name own netns ${hub.pid}`);
      await ip(undefined, `addr add ${subnet}.1/24 dev ${own}`, `link set ${own} up`);
      await ip(hub, `link set own master ${BRIDGE} up`);
      return network;
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  async add(name: string): Promise<Place> {
    if (this.#hub === undefined) return { name, address: LOOPBACK, prefix: [] };
    const held = await holder();
    const number = this.#places.size + 2;
    const address = `${this.#subnet}.${number}`;
    const port = `port${number}`;
    const prefix = ["nsenter", `--net=/proc/${held.pid}/ns/net`, "--"];
    this.#places.set(name, { name, address, prefix, holder: held, port });
    await ip(this.#hub, `link add ${port} type veth peer name eth0 netns ${held.pid}`);
    await ip(this.#hub, `link set ${port} master ${BRIDGE} up`);
    await ip(held, "link set lo up", `addr add ${address}/24 dev eth0`, "link set eth0 up");
    return { name, address, prefix };
  }

  /** From now on nothing comes from this machine or to it; connections stay open, unanswered. */
  cut(name: string): Promise<void> {
    return this.#setPort(name, "down");
  }

  heal(name: string): Promise<void> {
    return this.#setPort(name, "up");
  }

  /** The way between two machines alone. */
  async cutBetween(a: string, b: string): Promise<void> {
    await this.#between("add", a, b);
  }

  async healBetween(a: string, b: string): Promise<void> {
    await this.#between("del", a, b);
  }

  /** Ends what holds the namespaces: with the last process in one it is gone, its interfaces too. */
  async close(): Promise<void> {
    const holders = [...this.#places.values()].map((place) => place.holder);
    if (this.#hub !== undefined) holders.push(this.#hub);
    await Promise.all(holders.map((each) => endChild(each, "SIGKILL")));
    this.#places.clear();
  }

  /** The bridge's end: the machine's own keeps its address and routes. A state of the bridge's port would be set back by the bridge. */
  #setPort(name: string, state: "up" | "down"): Promise<void> {
    return ip(this.#hub, `link set ${this.#place(name).port} ${state}`);
  }

  async #between(verb: "add" | "del", a: string, b: string): Promise<void> {
    const [one, two] = [this.#place(a), this.#place(b)];
    await ip(one.holder, `route ${verb} blackhole ${two.address}/32`);
    await ip(two.holder, `route ${verb} blackhole ${one.address}/32`);
  }

  #place(name: string): Namespace {
    const place = this.#places.get(name);
    if (place === undefined) throw new RangeError(`no namespace is called ${name}`);
    return place;
  }
}

/** A process that is in a network namespace of its own and does nothing. */
async function holder(): Promise<ChildProcess> {
  const child = spawnGuarded({ path: "unshare", args: ["--net", "--"], env }, ["sleep", "infinity"]);
  const own = readlinkSync("/proc/self/ns/net");
  try {
    await until("a network namespace", 5000, () => {
      const theirs = readlinkSync(`/proc/${child.pid}/ns/net`);
      return theirs === own ? undefined : theirs;
    });
    return child;
  } catch (error) {
    await endChild(child, "SIGKILL");
    throw error;
  }
}

/** Runs `ip` with each of the commands, in the namespace of a process or in this one. */
async function ip(where: ChildProcess | undefined, ...commands: readonly string[]): Promise<void> {
  const program =
    where === undefined
      ? { path: "ip", args: [], env }
      : { path: "nsenter", args: [`--net=/proc/${where.pid}/ns/net`, "--", "ip"], env };
  for (const command of commands) await run(program, command.split(" "));
}
