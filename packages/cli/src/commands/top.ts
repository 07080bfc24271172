/** `kvmgov top`: a live table of all guests. In a pipe, or with --json: one frame. */
import { setTimeout as sleep } from "node:timers/promises";
import { ClassifierError } from "../api/client.ts";
import { frameLines, keysLine } from "../top/frame.ts";
import { look } from "../top/look.ts";
import type { Look } from "../top/look.ts";
import { isSortKey, topRows } from "../top/rows.ts";
import type { SortKey } from "../top/rows.ts";
import { Terminal } from "../top/terminal.ts";
import { print } from "./asking.ts";
import type { AskFlags } from "./asking.ts";

export interface TopFlags extends AskFlags {
  interval: string;
  sort: string;
}

/** What was asked for cannot be understood. */
export class TopArgumentError extends Error {
  override readonly name = "TopArgumentError";
}

export async function top(flags: TopFlags): Promise<number> {
  const seconds = Number(flags.interval);
  if (!(seconds >= 0.1 && seconds <= 3600)) {
    throw new TopArgumentError(`--interval ${flags.interval}: must be 0.1 to 3600 seconds`);
  }
  const intervalMs = seconds * 1000;
  if (flags.json === true || !process.stdout.isTTY) return oneFrame(flags, intervalMs);
  return live(flags, intervalMs);
}

async function oneFrame(flags: TopFlags, intervalMs: number): Promise<number> {
  const before = await look(flags, Date.now);
  await sleep(intervalMs);
  const now = await look(flags, Date.now);
  const rows = topRows(before, now);
  if (flags.json === true) print([JSON.stringify({ atMs: now.atMs, problems: now.problems, guests: rows })]);
  else print(frameLines(now, rows, { sort: sortOf(flags), isReversed: false, nowMs: now.atMs }));
  return 0;
}

async function live(flags: TopFlags, intervalMs: number): Promise<number> {
  const first = await look(flags, Date.now);
  const ended = new AbortController();
  const view = new View(sortOf(flags), () => ended.abort());
  const end = (): void => ended.abort();
  process.once("SIGTERM", end);
  process.once("SIGHUP", end);
  try {
    view.show(first);
    while (!ended.signal.aborted) {
      await sleep(intervalMs, undefined, { signal: ended.signal }).catch(() => undefined);
      if (ended.signal.aborted) break;
      try {
        view.show(await look(flags, Date.now));
      } catch (error) {
        if (!(error instanceof ClassifierError)) throw error;
        view.say(error.message);
      }
    }
  } finally {
    view.close();
  }
  return 0;
}

class View {
  readonly #terminal: Terminal;
  readonly #quit: () => void;
  #sort: SortKey;
  #isReversed = false;
  #before: Look | undefined;
  #now: Look | undefined;
  #problem: string | undefined;

  constructor(sort: SortKey, quit: () => void) {
    this.#sort = sort;
    this.#quit = quit;
    this.#terminal = new Terminal(
      process.stdin,
      process.stdout,
      (key) => this.#key(key),
      () => this.#draw(),
    );
  }

  show(now: Look): void {
    this.#before = this.#now;
    this.#now = now;
    this.#problem = undefined;
    this.#draw();
  }

  /** Something went wrong with the newest look: the last one stays. */
  say(problem: string): void {
    this.#problem = problem;
    this.#draw();
  }

  close(): void {
    this.#terminal.close();
  }

  #key(key: string): void {
    if (key === "q") return this.#quit();
    if (key === "r") this.#isReversed = !this.#isReversed;
    else if (isSortKey(key)) this.#sort = key;
    else return;
    this.#draw();
  }

  #draw(): void {
    if (this.#now === undefined) return;
    const rows = topRows(this.#before, this.#now);
    const options = { sort: this.#sort, isReversed: this.#isReversed, nowMs: this.#now.atMs };
    const lines = frameLines(this.#now, rows, options);
    const head = rows.length === 0 ? -1 : lines.indexOf("") + 1;
    this.#terminal.draw(lines, head, this.#problem ?? keysLine(this.#sort, this.#isReversed));
  }
}

function sortOf({ sort }: TopFlags): SortKey {
  const known = { class: "c", name: "n", host: "h", used: "u", waited: "w", switches: "s" } as const;
  if (sort in known) return known[sort as keyof typeof known];
  throw new TopArgumentError(`--sort ${sort}: must be one of ${Object.keys(known).join(", ")}`);
}
