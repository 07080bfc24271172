/** A way to whichever Redis is the primary now, by what most Sentinels say: no client of ours that could be wrong about it. */
import { Redis } from "ioredis";
import { PASSWORD, primaryOf } from "./servers.ts";
import type { Node } from "./servers.ts";

export class Primary {
  readonly #sentinels: readonly Node[];
  #address: string | undefined;
  #redis: Redis | undefined;

  constructor(sentinels: readonly Node[]) {
    this.#sentinels = sentinels;
  }

  /** @returns undefined: nobody knows one */
  async find(): Promise<Redis | undefined> {
    const address = await primaryOf(this.#sentinels);
    if (address === undefined) return undefined;
    if (address !== this.#address) {
      this.close();
      this.#redis = new Redis(`redis://:${PASSWORD}@${address}`, {
        commandTimeout: 1000,
        maxRetriesPerRequest: 0,
        enableOfflineQueue: true,
      });
      // Each read says by itself what it failed at.
      this.#redis.on("error", () => undefined);
      this.#address = address;
    }
    return this.#redis;
  }

  close(): void {
    this.#redis?.disconnect();
    this.#address = undefined;
  }
}
