/** Answers requests below `/console`: pages, their files, and their streams of changes. Read-only. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Hub } from "../live/hub.ts";
import type { HubStats } from "../live/hub.ts";
import { fleetModel } from "../model/fleet.ts";
import { guestModel } from "../model/guest.ts";
import { hostModel } from "../model/host.ts";
import type { Model } from "../model/model.ts";
import type { ConsoleSource } from "../facts.ts";
import { Assets } from "./assets.ts";
import { routeOf } from "./routes.ts";
import type { Route } from "./routes.ts";
import { notFoundHtml, pageHtml } from "./shell.ts";

export interface ConsoleOptions {
  source: ConsoleSource;
  /** Pages that may be open at the same time. */
  streamsMax: number;
  onError: (what: string, error: unknown) => void;
}

/**
 * Nothing from elsewhere, nothing inline: a guest's name that got into a page as markup could still do nothing. uPlot and
 * we set sizes by CSSOM, which the policy allows.
 */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

const HTML = "text/html; charset=utf-8";

export class Console {
  readonly #options: ConsoleOptions;
  readonly #assets = new Assets();
  readonly #hub: Hub;

  constructor(options: ConsoleOptions) {
    this.#options = options;
    const { source, streamsMax, onError } = options;
    this.#hub = new Hub({
      now: () => source.now(),
      streamsMax,
      onError: (name, error) => onError(`page ${name}`, error),
    });
  }

  get stats(): Readonly<HubStats> {
    return this.#hub.stats;
  }

  close(): void {
    this.#hub.close();
  }

  /** @param path below `/console`, with a slash at the beginning, without a query */
  handle(path: string, request: IncomingMessage, response: ServerResponse): void {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      return send(response, 405, "application/json", JSON.stringify({ error: "the console is read-only" }));
    }
    const route = routeOf(path);
    if (route === undefined) return send(response, 404, HTML, notFoundHtml());
    if (route.kind === "asset") return this.#asset(route.name, request, response);
    if (route.kind === "page") return send(response, 200, HTML, pageHtml(route.page));
    this.#events(route, request, response);
  }

  #asset(name: string, request: IncomingMessage, response: ServerResponse): void {
    const asset = this.#assets.get(name);
    if (asset === undefined) return send(response, 404, HTML, notFoundHtml());
    response.setHeader("etag", asset.etag);
    response.setHeader("vary", "accept-encoding");
    response.setHeader("cache-control", "no-cache");
    if (request.headers["if-none-match"] === asset.etag) {
      response.writeHead(304).end();
      return;
    }
    const isGzip = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
    if (isGzip) response.setHeader("content-encoding", "gzip");
    send(response, 200, asset.type, isGzip ? asset.gzip : asset.body);
  }

  #events(
    route: Exclude<Route, { kind: "asset" }>,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    response.setHeader("cache-control", "no-store");
    if (!this.#hub.hasRoom) {
      this.#hub.stats.refused += 1;
      const error = `${this.#options.streamsMax} pages are open already, which is the limit (consoleStreams): close some`;
      response.setHeader("retry-after", "30");
      return send(response, 503, "application/json", JSON.stringify({ error }));
    }
    response.writeHead(200, { "content-type": "text/event-stream", "x-accel-buffering": "no" });
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    response.flushHeaders();
    const lastEventId = request.headers["last-event-id"];
    const end = this.#hub.open(
      nameOf(route),
      () => this.#model(route),
      response,
      Array.isArray(lastEventId) ? undefined : lastEventId,
    );
    response.on("close", end);
  }

  #model(route: Exclude<Route, { kind: "asset" }>): Model {
    const { source } = this.#options;
    if (route.page === "fleet") return fleetModel(source);
    return route.page === "host" ? hostModel(route.host, source) : guestModel(route.host, route.uuid, source);
  }
}

function nameOf(route: Exclude<Route, { kind: "asset" }>): string {
  if (route.page === "fleet") return "fleet";
  return route.page === "host" ? `host ${route.host}` : `guest ${route.host}/${route.uuid}`;
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(response.req.method === "HEAD" ? undefined : body);
}
