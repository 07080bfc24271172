/** Asks the classifier's API (docs/api.md). Errors say what to do. */
import type { FoundGuest, GuestAnswer, HostAnswer, HostSummary, WritesAnswer } from "./answers.ts";

export const CLASSIFIER_URL = "http://127.0.0.1:9472";

const TIMEOUT_MS = 10_000;

/** The classifier did not give what was asked for. The message says what to do about it. */
export class ClassifierError extends Error {
  override readonly name = "ClassifierError";
}

export class Classifier {
  readonly url: string;

  /** @throws {ClassifierError} not an address */
  constructor(url: string) {
    if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
      throw new ClassifierError(`--url ${JSON.stringify(url)}: must be an address such as ${CLASSIFIER_URL}`);
    }
    this.url = url.replace(/\/+$/, "");
  }

  async hosts(): Promise<HostSummary[]> {
    return (await this.#get<{ hosts: HostSummary[] }>("hosts")).hosts;
  }

  host(id: string): Promise<HostAnswer> {
    return this.#get(`hosts/${encodeURIComponent(id)}`);
  }

  writes(host: string): Promise<WritesAnswer> {
    return this.#get(`hosts/${encodeURIComponent(host)}/writes`);
  }

  /** By name or UUID. */
  async find(guest: string): Promise<FoundGuest[]> {
    return (await this.#get<{ guests: FoundGuest[] }>(`guests/${encodeURIComponent(guest)}`)).guests;
  }

  guest(host: string, uuid: string): Promise<GuestAnswer> {
    return this.#get(`hosts/${encodeURIComponent(host)}/guests/${encodeURIComponent(uuid)}`);
  }

  async #get<T>(path: string): Promise<T> {
    const url = `${this.url}/api/v1/${path}`;
    let answer: Response;
    try {
      answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch (cause) {
      throw new ClassifierError(
        `no classifier answers at ${this.url} (${whyNot(cause)}). Is it running? "npm start" starts it on this host; ` +
          `--url or KVMGOV_CLASSIFIER_URL names another one`,
        { cause },
      );
    }
    const body: unknown = await answer.json().catch(() => undefined);
    if (answer.ok && typeof body === "object" && body !== null) return body as T;
    const problem = (body as { error?: unknown } | undefined)?.error;
    if (typeof problem === "string") throw new ClassifierError(problem);
    throw new ClassifierError(
      `${url} answers ${answer.status}, not as a classifier does: is the address right?`,
    );
  }
}

/** fetch hides the reason in the cause of its error. */
function whyNot(error: unknown): string {
  const { message, cause } = error as Error;
  const { code, message: inner } = (cause ?? {}) as { code?: string; message?: string };
  return code ?? inner ?? message;
}
