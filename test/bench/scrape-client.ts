/** A client that scrapes as Prometheus does: one connection that stays open, gzip. */
import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { gunzipSync } from "node:zlib";

export interface Scrape {
  /** From the request to the last byte of the answer. */
  wallMs: number;
  /** Bytes that came over the wire. */
  sentBytes: number;
  /** As the server sent it. */
  body: Buffer;
}

export interface PageSize {
  bytes: number;
  series: number;
}

export class ScrapeClient implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #encoding: "gzip" | "identity";

  constructor(encoding: "gzip" | "identity") {
    this.#encoding = encoding;
  }

  /** @throws {Error} the answer is not 200 */
  async scrape(url: string): Promise<Scrape> {
    const fromMs = performance.now();
    const request = get(url, { agent: this.#agent, headers: { "accept-encoding": this.#encoding } });
    const [response] = (await once(request, "response")) as [IncomingMessage];
    const pieces: Buffer[] = [];
    response.on("data", (piece: Buffer) => pieces.push(piece));
    await once(response, "end");
    const wallMs = performance.now() - fromMs;
    if (response.statusCode !== 200) throw new Error(`${url}: ${response.statusCode}`);
    const body = Buffer.concat(pieces);
    return { wallMs, sentBytes: body.length, body };
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

/** What a page holds; unpacked first where it is packed. */
export function sizeOf(body: Buffer): PageSize {
  const isPacked = body[0] === 0x1f && body[1] === 0x8b;
  const page = isPacked ? gunzipSync(body) : body;
  let series = 0;
  for (let from = 0; from < page.length; from = page.indexOf("\n", from) + 1) {
    if (page[from] !== 0x23 && page[from] !== 0x0a) series++;
  }
  return { bytes: page.length, series };
}
