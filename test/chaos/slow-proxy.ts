/** A way to a server that can be made slow: bytes come in their order, each later than it was sent. */
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { Seeded } from "../support/seeded.ts";

export class SlowProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #random: Seeded;
  /** Longest that bytes are held, in milliseconds; 0: not at all. */
  delayMsMax = 0;

  private constructor(server: Server, seed: number) {
    this.#server = server;
    this.#random = new Seeded(seed);
  }

  /** Listens on a free port of an address. */
  static async start(
    own: string,
    target: { address: string; port: number },
    seed: number,
  ): Promise<SlowProxy> {
    const server = createServer();
    const proxy = new SlowProxy(server, seed);
    server.on("connection", (client) => proxy.#join(client, connect(target.port, target.address)));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, own, resolve);
    });
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === "object" ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket, server: Socket): void {
    this.#pass(client, server);
    this.#pass(server, client);
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    let freeAtMs = 0;
    from.on("data", (bytes) => {
      const delayMs = this.delayMsMax === 0 ? 0 : this.#random.between(0, this.delayMsMax);
      freeAtMs = Math.max(freeAtMs, performance.now() + delayMs);
      setTimeout(() => to.writable && to.write(bytes), Math.max(0, freeAtMs - performance.now()));
    });
    // One end that goes takes the other along; why is for whoever owns the end.
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
