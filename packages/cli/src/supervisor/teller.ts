/** What `kvmgov up` says: lines for people, or with --json every event as one JSON line. */
import { narrate } from "./narrator.ts";
import type { LogEvent } from "./narrator.ts";

/** Name under which the supervisor itself speaks. */
const SUPERVISOR = "kvmgov";

export class Teller {
  readonly #json: boolean;
  readonly #write: (line: string) => void;
  readonly #now: () => Date;

  constructor(json: boolean, write: (line: string) => void, now: () => Date) {
    this.#json = json;
    this.#write = write;
    this.#now = now;
  }

  /** Something that a service said. People hear what is of interest or wrong, programs hear all. */
  event(event: LogEvent): void {
    const line = this.#json ? JSON.stringify(event) : narrate(event);
    if (line !== undefined) this.#write(line);
  }

  /**
   * Something that the supervisor says.
   * @param event its name for programs
   * @param text for people; several lines are written one by one
   */
  say(event: string, text: string | readonly string[], fields: Readonly<Record<string, unknown>> = {}): void {
    const lines = typeof text === "string" ? [text] : text;
    if (!this.#json) return lines.forEach((line) => this.#write(line));
    const msg = lines.filter((line) => line !== "").join(" ");
    const time = this.#now().toISOString();
    this.#write(JSON.stringify({ service: SUPERVISOR, level: "info", time, event, msg, ...fields }));
  }
}
