/** Asks the classifier's API (docs/api.md). Errors say what to do. */
import type { FoundAnswer, GuestAnswer, HostAnswer, HostSummary, WritesAnswer } from "./answers.ts";

export const CLASSIFIER_URL = "http://127.0.0.1:9472";

const TIMEOUT_MS = 10_000;

/** The classifier did not give what was asked for. The message says what to do about it. */
export class ClassifierError extends Error {
  override readonly name = "ClassifierError";
}

export class Classifier {
  /** Without user and password: it stands in messages. */
  readonly url: string;
  readonly #headers: Readonly<Record<string, string>>;

  /**
   * @param url with `USER:PASSWORD@` before the host where the classifier asks who it is (webConfigFile)
   * @throws {ClassifierError} not an address
   */
  constructor(url: string) {
    if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
      const shown = url.replace(/\/\/.*@/, "//…@");
      throw new ClassifierError(
        `--url ${JSON.stringify(shown)}: must be an address such as ${CLASSIFIER_URL}`,
      );
    }
    const address = new URL(url);
    const user = `${decodeURIComponent(address.username)}:${decodeURIComponent(address.password)}`;
    this.#headers = user === ":" ? {} : { authorization: `Basic ${Buffer.from(user).toString("base64")}` };
    [address.username, address.password] = ["", ""];
    this.url = address.href.replace(/\/+$/, "");
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
  find(guest: string): Promise<FoundAnswer> {
    return this.#get(`guests/${encodeURIComponent(guest)}`);
  }

  guest(host: string, uuid: string): Promise<GuestAnswer> {
    return this.#get(`hosts/${encodeURIComponent(host)}/guests/${encodeURIComponent(uuid)}`);
  }

  async #get<T>(path: string): Promise<T> {
    const url = `${this.url}/api/v1/${path}`;
    let answer: Response;
    try {
      answer = await fetch(url, { headers: this.#headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch (cause) {
      throw new ClassifierError(
        `no classifier answers at ${this.url} (${whyNot(cause)}). Is it running? "npm start" starts it on this host; ` +
          `--url or KVMGOV_CLASSIFIER_URL names another one`,
        { cause },
      );
    }
    if (answer.status === 401) {
      throw new ClassifierError(
        `${this.url} asks for a user and a password, or refuses those given: ` +
          "KVMGOV_CLASSIFIER_URL=https://USER:PASSWORD@HOST:PORT has them",
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
