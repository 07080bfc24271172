/**
 * What a host's lists and counts may be after each of its samples, worked out from the paper's two algorithms alone, by code that
 * shares nothing with the classifier's. Where a sample may or may not be in the stream, both courses are kept until what is seen
 * decides between them; where no course is left, something was lost, counted twice, or jumped.
 */
import type { SeenGuests, Wants } from "./messages.ts";

export interface LedgerOptions {
  /** More crossings than this move a guest. */
  beta: number;
  /** A sample that is older than the newest by more than this may be passed over, in microseconds. */
  planTtlUs: number;
}

interface SentSample {
  sequence: number;
  wants: Wants;
  isStored: boolean;
  /** On the engine's clock. */
  atMs: number;
}

/** Courses that are kept at once: more are not told apart by a run that makes sense. */
const COURSES_MAX = 4096;

/** What is wrong with something that was seen; undefined: nothing. */
export type Verdict = string | undefined;

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #sent: SentSample[] = [];
  /** Possible lists and counts after the sample {@link settled}. */
  #courses: SeenGuests[] = [{}];
  #settled = 0;
  /** Sequences of ticks that did not follow. */
  readonly #wrong: number[] = [];
  /** What was seen at each sequence, while it may be asked for. */
  readonly #seen = new Map<number, SeenGuests>();

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** Sequence up to which it is known what the lists are. */
  get settled(): number {
    return this.#settled;
  }

  /** Samples that were decided on, as far as is known. */
  get samples(): number {
    return this.#sent.filter(({ sequence }) => sequence <= this.#settled).length;
  }

  sampled(sequence: number, wants: Wants, atMs: number): void {
    this.#sent.push({ sequence, wants, isStored: false, atMs });
  }

  stored(sequence: number): void {
    const sample = this.#find(sequence);
    if (sample !== undefined) sample.isStored = true;
  }

  /** When the sample of this sequence was taken, on the engine's clock. */
  sampledAtMs(sequence: number): number | undefined {
    return this.#find(sequence)?.atMs;
  }

  /** Ticks after this one that did not follow from what was before. */
  wrongAfter(sequence: number): number {
    return this.#wrong.filter((wrong) => wrong > sequence).length;
  }

  /** Ticks of this host between two sequences, the first not included. */
  ticksBetween(from: number, to: number): number {
    return this.#sent.filter(({ sequence }) => sequence > from && sequence <= to).length;
  }

  /** A plan was seen: what follows, follows from it. */
  settle(sequence: number, guests: SeenGuests): Verdict {
    const verdict = this.explain(sequence, guests);
    if (verdict !== undefined) this.#wrong.push(sequence);
    if (sequence < this.#settled) return verdict;
    // Also where it is wrong: what comes after is judged by what is there, and one fault is told once.
    this.#courses = [guests];
    this.#settled = sequence;
    this.#seen.set(sequence, guests);
    if (this.#seen.size > 200) this.#seen.delete(this.#seen.keys().next().value ?? 0);
    return verdict;
  }

  /** Whether lists and counts can be these after the sample of this sequence. */
  explain(sequence: number, guests: SeenGuests): Verdict {
    const sample = this.#find(sequence);
    if (sample === undefined) return `tick ${sequence} rests on no sample of this host`;
    if (sequence <= this.#settled) {
      const known = this.#seen.get(sequence);
      if (known === undefined || textOf(known) === textOf(guests)) return undefined;
      return `tick ${sequence} is there twice: ${difference(known, guests)}`;
    }
    const courses = this.#coursesUntil(sequence);
    if (courses.some((course) => textOf(course) === textOf(guests))) return undefined;
    const nearest = nearestOf(courses, guests);
    return `after tick ${sequence}: ${difference(nearest, guests)} (${courses.length} courses possible)`;
  }

  #coursesUntil(last: number): SeenGuests[] {
    let courses = new Map(this.#courses.map((course) => [textOf(course), course]));
    const newest = this.#sent.at(-1)?.sequence ?? 0;
    for (const { sequence, wants, isStored } of this.#sent) {
      if (sequence <= this.#settled || sequence > last) continue;
      const mustCount = sequence === last || (isStored && newest - sequence <= this.#options.planTtlUs);
      const next = mustCount ? new Map<string, SeenGuests>() : new Map(courses);
      for (const course of courses.values()) {
        const after = this.#after(course, wants);
        next.set(textOf(after), after);
      }
      if (next.size > COURSES_MAX) throw new RangeError(`more than ${COURSES_MAX} courses are possible`);
      courses = next;
    }
    return [...courses.values()];
  }

  /** Algorithm 1 and 2 of the paper, for guests that want all or little. */
  #after(before: SeenGuests, wants: Wants): SeenGuests {
    const { beta } = this.#options;
    return Object.fromEntries(
      Object.entries(wants).map(([uuid, want]) => {
        const guest = before[uuid] ?? { class: "service", count: 0 };
        const isCrossing = (guest.class === "service") === (want === "all");
        const count = Math.max(0, guest.count + (isCrossing ? 1 : -1));
        if (count <= beta) return [uuid, { class: guest.class, count }];
        return [uuid, { class: guest.class === "service" ? "scientific" : "service", count: 0 }];
      }),
    );
  }

  #find(sequence: number): SentSample | undefined {
    return this.#sent.findLast((sample) => sample.sequence === sequence);
  }
}

function textOf(guests: SeenGuests): string {
  return Object.keys(guests)
    .toSorted()
    .map((uuid) => `${uuid} ${guests[uuid]?.class} ${guests[uuid]?.count}`)
    .join();
}

/** The course that differs in the fewest guests: it says most of what went wrong. */
function nearestOf(courses: readonly SeenGuests[], found: SeenGuests): SeenGuests {
  const distance = (course: SeenGuests): number => difference(course, found).split(";").length;
  return courses.toSorted((a, b) => distance(a) - distance(b))[0] ?? {};
}

function difference(wanted: SeenGuests, found: SeenGuests): string {
  const uuids = new Set([...Object.keys(wanted), ...Object.keys(found)]);
  const say = (guest: SeenGuests[string] | undefined): string =>
    guest === undefined ? "not there" : `${guest.class} ${guest.count}`;
  return [...uuids]
    .filter((uuid) => say(wanted[uuid]) !== say(found[uuid]))
    .map((uuid) => `guest ${uuid}: ${say(found[uuid])} where ${say(wanted[uuid])} follows`)
    .join("; ");
}
