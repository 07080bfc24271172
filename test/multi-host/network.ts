/**
 * A network of the test's own, IPv6 alone: a switch in a network namespace of its own, a cable from there to this machine, and one
 * to each host that can be pulled. All of it ends with the process that holds the switch, and that with this one.
 */
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";

/** Runs ip(8). @throws {Error} with what it said */
function ip(...args: string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}

function ipWithin(pid: number, ...args: string[]): void {
  execFileSync("nsenter", ["--target", String(pid), "--net", "ip", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
}

/** A cable to a host. */
export interface Cable {
  /** Of the host. */
  address: string;
  /** Nobody is told: connections just get no answer any more. */
  pull(): void;
  plug(): void;
}

export class Network {
  readonly #holder: ChildProcess;
  readonly #switch: number;
  /** Another one each time (RFC 4193). */
  readonly #prefix = `fd${randomBytes(5)
    .toString("hex")
    .replace(/^(..)(....)(....)$/, "$1:$2:$3")}`;
  #hosts = 0;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
    this.#switch = holder.pid ?? 0;
  }

  static async start(): Promise<Network> {
    const holder = spawn("unshare", ["--net", "sh", "-c", "echo ready; cat >/dev/null"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const failed = once(holder, "exit").then(() => Promise.reject(new Error("no network namespace")));
    await Promise.race([once(holder.stdout, "data"), failed]);
    const network = new Network(holder);
    network.#layOut();
    return network;
  }

  /** Of this machine. */
  get address(): string {
    return `${this.#prefix}::1`;
  }

  /** Name of this machine's end: at most 15 letters. */
  get interface(): string {
    return `kvg${process.pid}`;
  }

  /** Lays a cable into the network namespace of a process. */
  connect(pid: number): Cable {
    const number = ++this.#hosts;
    const port = `port${number}`;
    const address = `${this.#prefix}::${(number + 1).toString(16)}`;
    ipWithin(this.#switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", String(pid));
    ipWithin(this.#switch, "link", "set", port, "master", "switch", "up");
    // Without nodad an address cannot be used for a second or two.
    ipWithin(pid, "address", "add", `${address}/64`, "dev", "eth0", "nodad");
    ipWithin(pid, "link", "set", "eth0", "up");
    return {
      address,
      pull: () => ipWithin(this.#switch, "link", "set", port, "down"),
      plug: () => ipWithin(this.#switch, "link", "set", port, "up"),
    };
  }

  async stop(): Promise<void> {
    const gone = once(this.#holder, "exit");
    this.#holder.stdin?.end();
    await gone;
  }

  #layOut(): void {
    const own = this.interface;
    ip("link", "add", own, "type", "veth", "peer", "name", "uplink", "netns", String(this.#switch));
    ip("address", "add", `${this.address}/64`, "dev", own, "nodad");
    ip("link", "set", own, "up");
    ipWithin(this.#switch, "link", "add", "switch", "type", "bridge");
    ipWithin(this.#switch, "link", "set", "switch", "up");
    ipWithin(this.#switch, "link", "set", "uplink", "master", "switch", "up");
  }
}
