/**
 * What Redis holds, read past the classifier's own code: the two lists of each host, each guest's record and the tick. After a failover
 * ticks may be missing that the old primary had acknowledged: which, is computed from the plans, and that they heal is checked.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { HostJudge } from "./host-judge.ts";
import type { SeenGuests } from "./messages.ts";

/** Ticks of a host that a failover lost: committed and acknowledged, and not there any more. */
export interface LostTicks {
  host: string;
  /** Sequence that Redis fell back to, and that of the newest published plan then. */
  from: number;
  to: number;
  ticks: number;
  /** Ticks that were decided after that until lists and counts were those that follow; undefined: not yet. */
  healedAfterTicks?: number;
}

export interface StoredHost {
  sequence: number;
  service: readonly string[];
  scientific: readonly string[];
  records: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const HEAL_TICKS_MAX = 2;
/** What hosts say is heard by then. */
const HEARSAY_MS = 250;

export class StoreJudge {
  readonly lost: LostTicks[] = [];
  readonly #open = new Map<string, LostTicks>();
  readonly #newest = new Map<string, number>();
  #reads = 0;

  /** Hosts' states that were read and judged. */
  get reads(): number {
    return this.#reads;
  }

  /** Reads and judges one host; while Redis is away, nothing. @param redis the primary; @param uuids of its guests */
  async look(redis: Redis, host: string, uuids: readonly string[], judge: HostJudge): Promise<void> {
    const before = judge.ledger.settled;
    const stored = await readStored(redis, host, uuids).catch(() => undefined);
    if (stored === undefined) return;
    this.#reads++;
    // What the host said of its samples before is heard by then.
    await sleep(HEARSAY_MS);
    this.judge(host, uuids, stored, judge, before);
  }

  /** @param settled what was known to be decided, and so committed, before it was read */
  judge(host: string, uuids: readonly string[], stored: StoredHost, judge: HostJudge, settled: number): void {
    for (const text of wrongLists(uuids, stored)) judge.wrong("lists", text);
    const { sequence } = stored;
    const newest = this.#newest.get(host) ?? 0;
    this.#newest.set(host, sequence);
    const open = this.#open.get(host);
    if (open === undefined && sequence < Math.max(settled, newest))
      this.#fellBack(host, judge, sequence, Math.max(settled, newest));
    else if (open !== undefined && sequence > open.to) this.#caughtUp(host, open, judge);
    else if (open !== undefined) this.#overdue(open, judge, settled);
    // What is older than the plans is judged by its catching up.
    if (sequence >= settled) {
      const text = judge.ledger.explain(sequence, guestsOf(stored));
      if (text !== undefined) judge.wrong("counts", `in Redis, ${text}`);
    }
  }

  #fellBack(host: string, judge: HostJudge, from: number, to: number): void {
    const lost: LostTicks = { host, from, to, ticks: judge.ledger.ticksBetween(from, to) };
    this.lost.push(lost);
    this.#open.set(host, lost);
  }

  /** The first tick after it is right, unless plans say otherwise; that Redis has just that is judged at each read. */
  #caughtUp(host: string, lost: LostTicks, judge: HostJudge): void {
    lost.healedAfterTicks = 1 + judge.ledger.wrongAfter(lost.to);
    this.#open.delete(host);
    if (lost.healedAfterTicks > HEAL_TICKS_MAX)
      judge.wrong("healed", `${lost.ticks} lost ticks were there again after ${lost.healedAfterTicks} ticks`);
  }

  /** Plans went on before it was read, and Redis did not: it never heals. */
  #overdue({ to, ticks }: LostTicks, judge: HostJudge, settled: number): void {
    const decided = judge.ledger.ticksBetween(to, settled);
    if (decided > HEAL_TICKS_MAX)
      judge.wrong("healed", `${ticks} lost ticks are not there again after ${decided} ticks`);
  }
}

/** One host's keys as one picture; undefined where there is no tick. */
async function readStored(
  redis: Redis,
  host: string,
  uuids: readonly string[],
): Promise<StoredHost | undefined> {
  const key = (name: string): string => `kvmgov:{${host}}:${name}`;
  const multi = redis.multi().hget(key("tick"), "sequence").smembers(key("service"));
  multi.smembers(key("scientific"));
  for (const uuid of uuids) multi.hgetall(key(`guest:${uuid}`));
  const replies = (await multi.exec()) ?? [];
  const failed = replies.find(([error]) => error !== null);
  if (failed !== undefined) throw failed[0] ?? new Error("no reply");
  const [sequence, service, scientific, ...records] = replies.map(([, value]) => value);
  if (sequence === null || sequence === undefined) return undefined;
  return {
    sequence: Number(sequence),
    service: service as string[],
    scientific: scientific as string[],
    records: Object.fromEntries(uuids.map((uuid, at) => [uuid, records[at] as Record<string, string>])),
  };
}

/** Guests that are in no list, in both, in one that their record does not name, or that nobody knows. */
export function wrongLists(uuids: readonly string[], stored: StoredHost): string[] {
  const { service, scientific, records } = stored;
  const known = new Set(uuids);
  const problems = [...service, ...scientific]
    .filter((uuid) => !known.has(uuid))
    .map((uuid) => `${uuid} is in a list and is no guest of this host`);
  for (const uuid of uuids) {
    const lists = [
      ...(service.includes(uuid) ? ["service"] : []),
      ...(scientific.includes(uuid) ? ["scientific"] : []),
    ];
    if (lists.length !== 1) problems.push(`${uuid} is in ${lists.length} lists`);
    else if (records[uuid]?.["class"] !== lists[0])
      problems.push(`${uuid} is in the list ${lists[0]}, its record says ${records[uuid]?.["class"]}`);
  }
  return problems;
}

function guestsOf({ records }: StoredHost): SeenGuests {
  return Object.fromEntries(
    Object.entries(records).map(([uuid, record]) => [
      uuid,
      { class: record["class"] === "scientific" ? "scientific" : "service", count: Number(record["count"]) },
    ]),
  );
}
