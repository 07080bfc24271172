/** A receiver of OTLP over HTTP on loopback, that decodes what it gets, and can be away, refuse or hang. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { spansOfJson, spansOfProtobuf, type ReceivedSpan } from "./otlp-spans.ts";
import { waitFor } from "./service-process.ts";

/** What it does with a request. `hang`: takes it and never answers. */
export type Manner = "take" | "refuse" | "hang";

export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** Paths and content types of all requests. */
  readonly requests: { path: string; type: string }[] = [];
  /** What could not be decoded. */
  readonly errors: Error[] = [];
  manner: Manner = "take";
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", (request, response) => void this.#answer(request, response));
  }

  static async start(): Promise<OtlpReceiver> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new OtlpReceiver(server);
  }

  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Spans of one trace, in the order of their start. */
  trace(traceId: string): ReceivedSpan[] {
    return this.spans
      .filter((span) => span.traceId === traceId)
      .sort((a, b) => Number(a.startNs - b.startNs));
  }

  /** Waits until a trace has spans of these names. Processes send theirs when each thinks fit: the last may come first. */
  async untilTrace(traceId: string, names: readonly string[]): Promise<ReceivedSpan[]> {
    return waitFor(`${names.join(", ")} of trace ${traceId}`, 15_000, () => {
      const trace = this.trace(traceId);
      return names.every((name) => trace.some((span) => span.name === name)) ? trace : undefined;
    });
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#server.listening) await once(this.#server, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const type = request.headers["content-type"] ?? "";
    this.requests.push({ path: request.url ?? "", type });
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (this.manner === "hang") return;
    if (this.manner === "refuse") {
      response.writeHead(400).end();
      return;
    }
    const body = Buffer.concat(chunks);
    const plain = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
    try {
      this.spans.push(...(type.includes("json") ? spansOfJson(plain) : spansOfProtobuf(plain)));
    } catch (error) {
      this.errors.push(error as Error);
    }
    response.writeHead(200, { "content-type": type }).end(type.includes("json") ? "{}" : "");
  }
}
