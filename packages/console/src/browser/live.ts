/**
 * The page's one stream: a model that follows the classifier's. By fetch and not by EventSource, because a refusal has
 * words that must be shown, and because EventSource says nothing of a connection that is silent.
 */
import { FrameReader } from "../live/frames.ts";
import type { Frame } from "../live/frames.ts";
import type { Cell, Model, Patch, Row } from "../model/model.ts";
import { setClock } from "./clock.ts";

export type Connection =
  | { state: "connecting" }
  | { state: "live" }
  /** @property why words of the classifier, where it gave some */
  | { state: "lost"; sinceMs: number; why: string };

export interface LiveOptions {
  url: string;
  /** The model changed; `patch` is undefined where all of it is new. */
  changed: (model: Model, patch: Patch | undefined) => void;
  connection: (connection: Connection) => void;
}

/** The classifier says something every 5 s. */
const SILENT_MS_MAX = 12_000;
const RETRY_MS = [500, 1000, 2000, 4000, 5000];
/** A page that nobody sees gives its place to others after this long. */
const HIDDEN_MS_MAX = 60_000;

type Rows = Record<string, Record<string, Record<string, Cell>>>;

export class Live {
  readonly #options: LiveOptions;
  #model: Rows = {};
  #lastId: string | undefined;
  #attempt = 0;
  #lostSinceMs: number | undefined;
  #abort: AbortController | undefined;
  #hiddenTimer: number | undefined;

  constructor(options: LiveOptions) {
    this.#options = options;
    document.addEventListener("visibilitychange", () => this.#visibilityChanged());
    options.connection({ state: "connecting" });
    void this.#run();
  }

  async #run(): Promise<void> {
    while (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      let why = "";
      try {
        why = await this.#follow(abort);
      } catch (error) {
        // Of the network, or of our own patience: the page says since when, and that is all there is to say.
        why = error instanceof TypeError || abort.signal.aborted ? "" : String(error);
      }
      if (this.#abort !== abort) return;
      this.#lost(why);
      const delayMs = RETRY_MS[Math.min(this.#attempt, RETRY_MS.length - 1)] ?? 0;
      this.#attempt += 1;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      if (this.#abort !== abort) return;
      this.#abort = undefined;
    }
  }

  /** Until the stream ends. @returns why it was refused; empty: it ended */
  async #follow(abort: AbortController): Promise<string> {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (this.#lastId !== undefined) headers["last-event-id"] = this.#lastId;
    const response = await fetch(this.#options.url, { headers, cache: "no-store", signal: abort.signal });
    if (!response.ok || response.body === null) return refusal(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const frames = new FrameReader();
    let silence = 0;
    const watch = (): void => {
      clearTimeout(silence);
      silence = window.setTimeout(() => abort.abort(), SILENT_MS_MAX);
    };
    try {
      for (watch(); ; watch()) {
        const { value, done } = await reader.read();
        if (done) return "";
        for (const frame of frames.read(value)) this.#take(frame);
      }
    } finally {
      clearTimeout(silence);
    }
  }

  #take({ id, event, data }: Frame): void {
    const message = JSON.parse(data) as { now: number; model?: Rows } & Partial<Patch>;
    setClock(message.now);
    if (this.#lostSinceMs !== undefined || this.#attempt >= 0) this.#found();
    if (id !== undefined) this.#lastId = id;
    if (event === "full") {
      this.#model = message.model ?? {};
      this.#options.changed(this.#model, undefined);
    } else if (event === "patch") {
      const patch = { set: message.set ?? {}, gone: message.gone ?? {} };
      applyPatch(this.#model, patch);
      this.#options.changed(this.#model, patch);
    }
  }

  #found(): void {
    this.#attempt = -1;
    this.#lostSinceMs = undefined;
    this.#options.connection({ state: "live" });
  }

  #lost(why: string): void {
    this.#attempt = Math.max(0, this.#attempt);
    this.#lostSinceMs ??= Date.now();
    this.#options.connection({ state: "lost", sinceMs: this.#lostSinceMs, why });
  }

  #visibilityChanged(): void {
    clearTimeout(this.#hiddenTimer);
    if (document.hidden) {
      this.#hiddenTimer = window.setTimeout(() => this.#pause(), HIDDEN_MS_MAX);
    } else if (this.#abort?.signal.reason === PAUSED) {
      this.#abort = undefined;
      void this.#run();
    }
  }

  #pause(): void {
    const abort = new AbortController();
    abort.abort(PAUSED);
    this.#abort?.abort(PAUSED);
    this.#abort = abort;
  }
}

const PAUSED = "the page is not seen";

async function refusal(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as { error?: string };
    return error ?? `the classifier answers ${response.status}`;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return `the classifier answers ${response.status}`;
  }
}

function applyPatch(model: Rows, { set, gone }: Patch): void {
  for (const [name, rows] of Object.entries(set)) {
    const section = (model[name] ??= {});
    for (const [key, cells] of Object.entries(rows)) section[key] = { ...section[key], ...cells };
  }
  for (const [name, keys] of Object.entries(gone)) for (const key of keys) delete model[name]?.[key];
}

/** The rows of a section, as the type that the server's model gives them. */
export function rowsOf<R extends Row>(model: Model, section: string): Readonly<Record<string, R>> {
  return (model[section] ?? {}) as Readonly<Record<string, R>>;
}

/** The only row of a section that is no table. */
export function onlyRow<R extends Row>(model: Model, section: string): R | undefined {
  return rowsOf<R>(model, section)["all"];
}
