/** What other classifiers know, as they answered last: for pages, which never wait, and for requests, which wait a bounded time. */
import { Asked } from "./asked.ts";
import type { Asking, Piece } from "./asking.ts";
import { boundFound } from "./find.ts";
import type { Found } from "./find.ts";
import { hostOf, lineOf } from "./wire.ts";
import type { OtherHost, OtherLine } from "./wire.ts";

export interface OthersOptions {
  asking: Pick<Asking, "ask">;
  /** Wall clock, milliseconds. */
  now: () => number;
  /** Hosts and guests that pages show, whose last answer is kept. */
  keptMax: number;
  onError: (error: unknown) => void;
}

/** An answer, and what of it could not be learnt, in words. */
export interface Answer<T> {
  value: T;
  missing: readonly string[];
}

/** What of a host is wanted beside its facts. */
export interface Wanted {
  /** UUID of a guest: its history and course. */
  guest?: string;
  /** Writes of all its guests. */
  writes?: boolean;
}

/** Nobody is asked the same more often. */
export const ASK_EVERY_MS = 1000;
/** Reading the answers about a large fleet takes at most this part of the time, at so much a host (bench facts). */
const READING_PART = 0.05;
const READING_MS = 0.01;
const FLEET_EVERY_MS_MAX = 3000;
/** A host that nobody speaks for any more is shown as it was for so long: the next one that works it off will. */
const ORPHAN_MS = 300_000;

const NOTHING: Answer<undefined> = { value: undefined, missing: [] };
const NO_LINES: ReadonlyMap<string, OtherLine> = new Map();

export class Others {
  readonly #options: OthersOptions;
  readonly #fleet: Asked<Answer<ReadonlyMap<string, OtherLine>>>;
  /** By host and what is wanted of it; the one that was looked at longest ago first. */
  readonly #hosts = new Map<string, Asked<Answer<OtherHost | undefined>>>();
  #fleetEveryMs = ASK_EVERY_MS;

  constructor(options: OthersOptions) {
    this.#options = options;
    this.#fleet = new Asked({
      ask: (before) => this.#askFleet(before?.value ?? NO_LINES),
      everyMs: () => this.#fleetEveryMs,
      now: options.now,
      onError: options.onError,
    });
  }

  /** All hosts of others, as of the last answer; the next one is asked for. */
  fleet(): ReadonlyMap<string, OtherLine> {
    return this.#fleet.look()?.value ?? NO_LINES;
  }

  /** A host of others, as of the last answer; the next one is asked for. */
  host(id: string, wanted: Wanted = {}): Answer<OtherHost | undefined> {
    return this.#asked(id, wanted).look() ?? NOTHING;
  }

  /** Whether somebody looks for this host, and no answer has come yet. */
  isAskedFor(id: string): boolean {
    return this.#fleet.isPending || (this.#hosts.get(keyOf(id, {}))?.isPending ?? false);
  }

  /** What the last answer lacks, about a host or about the fleet, in words. Asks nobody. */
  missing(id?: string, wanted: Wanted = {}): readonly string[] {
    const asked = id === undefined ? this.#fleet : this.#hosts.get(keyOf(id, wanted));
    return asked?.recent?.missing ?? [];
  }

  getFleet(): Promise<Answer<ReadonlyMap<string, OtherLine>>> {
    return this.#fleet.get();
  }

  /** Not kept: somebody who asks for all hosts must not push out those that pages show. */
  getHost(id: string, wanted: Wanted = {}): Promise<Answer<OtherHost | undefined>> {
    return this.#hosts.get(keyOf(id, wanted))?.get() ?? this.#askHost(id, wanted, undefined);
  }

  async find(guest: string): Promise<Answer<Found>> {
    const { pieces, missing } = await this.#options.asking.ask("find", { guest });
    const found = pieces.flatMap(({ answer }) => answer.guests);
    const more = pieces.reduce((sum, { answer }) => sum + answer.more, 0);
    return { value: boundFound(found, more), missing };
  }

  #asked(id: string, wanted: Wanted): Asked<Answer<OtherHost | undefined>> {
    const key = keyOf(id, wanted);
    const asked =
      this.#hosts.get(key) ??
      new Asked({
        ask: (before) => this.#askHost(id, wanted, before?.value),
        everyMs: () => ASK_EVERY_MS,
        now: this.#options.now,
        onError: this.#options.onError,
      });
    this.#hosts.delete(key);
    this.#hosts.set(key, asked);
    const [oldest] = this.#hosts.keys();
    if (this.#hosts.size > this.#options.keptMax && oldest !== undefined) this.#hosts.delete(oldest);
    return asked;
  }

  /** @param before stays while somebody who may know more does not answer */
  async #askHost(
    host: string,
    wanted: Wanted,
    before: OtherHost | undefined,
  ): Promise<Answer<OtherHost | undefined>> {
    const { pieces, missing } = await this.#options.asking.ask(
      "host",
      { host, ...wanted },
      (answer) => answer.host === host && answer.facts !== undefined,
    );
    const found = pieces.find(({ answer }) => answer.host === host && answer.facts !== undefined);
    if (found !== undefined) return { value: hostOf(found.answer, found.shiftMs), missing: [] };
    return { value: missing.length > 0 ? before : undefined, missing };
  }

  async #askFleet(before: ReadonlyMap<string, OtherLine>): Promise<Answer<ReadonlyMap<string, OtherLine>>> {
    const { asking, now } = this.#options;
    const { pieces, missing } = await asking.ask("fleet", {});
    const lines = newestLines(pieces);
    const oldest = now() - ORPHAN_MS;
    for (const [id, line] of before) {
      if (!lines.has(id) && line.lastHeardMs >= oldest) lines.set(id, line);
    }
    const everyMs = (lines.size * READING_MS) / READING_PART;
    this.#fleetEveryMs = Math.min(FLEET_EVERY_MS_MAX, Math.max(ASK_EVERY_MS, everyMs));
    return { value: lines, missing };
  }
}

/** Where a host went from one to another meanwhile, the later one speaks for it. */
function newestLines(pieces: readonly Piece<"fleet">[]): Map<string, OtherLine> {
  const lines = new Map<string, OtherLine>();
  for (const { answer, shiftMs } of pieces) {
    for (const wire of answer.lines) {
      const line = lineOf(wire, shiftMs);
      const other = lines.get(line.id);
      if (other === undefined || (line.row.sampleAtMs ?? 0) > (other.row.sampleAtMs ?? 0))
        lines.set(line.id, line);
    }
  }
  return lines;
}

const keyOf = (host: string, { guest = "", writes = false }: Wanted): string => `${host}/${guest}/${writes}`;
