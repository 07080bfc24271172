/** Places of guests in Redis, one hash a guest: see `placeGuest.lua`. */
import { readFileSync } from "node:fs";
import { ContractError, carriedGuestSchema, parseContract } from "@kvm-governor/policy";
import type { CarriedGuest } from "@kvm-governor/policy";
import type { GuestPlace, GuestPlaces } from "./guest-places.ts";
import { guestPlaceKey } from "./keys.ts";
import type { RedisClient } from "./redis-client.ts";
import { answered } from "./redis-store.ts";

const script = readFileSync(new URL("placeGuest.lua", import.meta.url), "utf8");

type Reply = [host: string, from: string, carried: string];
type CommandingRedis = RedisClient & {
  placeGuest(keyCount: 1, key: string, ...args: (string | number)[]): Promise<Reply>;
};

export class RedisGuestPlaces implements GuestPlaces {
  readonly #redis: CommandingRedis;

  constructor(redis: RedisClient) {
    redis.defineCommand("placeGuest", { lua: script });
    this.#redis = redis as CommandingRedis;
  }

  async arrive(uuid: string, host: string): Promise<GuestPlace | undefined> {
    return parsePlace(uuid, await this.#place(uuid, "arrive", host));
  }

  async take(uuid: string, host: string, from: string, carried: CarriedGuest | undefined): Promise<void> {
    await this.#place(uuid, "take", host, from, textOf(carried));
  }

  async leave(uuid: string, host: string, carried: CarriedGuest, keepMs: number): Promise<void> {
    await this.#place(uuid, "leave", host, host, textOf(carried), keepMs);
  }

  #place(uuid: string, ...args: (string | number)[]): Promise<Reply> {
    return answered(() => this.#redis.placeGuest(1, guestPlaceKey(uuid), ...args));
  }
}

const textOf = (carried: CarriedGuest | undefined): string =>
  carried === undefined ? "" : JSON.stringify(carried);

function parsePlace(uuid: string, [host, from, carried]: Reply): GuestPlace | undefined {
  if (host === "") return undefined;
  if (carried === "") return { host };
  try {
    return { host, from, carried: parseContract(carriedGuestSchema, carried, `carried of guest ${uuid}`) };
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    return { host, from, problem: error.message };
  }
}
