/** What a service waits for: named parts, each up or down with the reason. */
export interface PartState {
  ok: boolean;
  detail: string;
}

export class Readiness {
  readonly #parts = new Map<string, PartState>();

  /** Reports a part's state. A part counts from its first report on. */
  set(part: string, ok: boolean, detail = ok ? "up" : "down"): void {
    this.#parts.set(part, { ok, detail });
  }

  get ready(): boolean {
    return [...this.#parts.values()].every((part) => part.ok);
  }

  parts(): Record<string, PartState> {
    return Object.fromEntries(this.#parts);
  }
}
