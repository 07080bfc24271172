/** The pages of a service: /metrics, /-/healthy, /-/ready and a landing page that names them. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import express from "express";
import type { Express, NextFunction, Request, Response } from "express";
import type { Registry } from "prom-client";
import type { Logger } from "./log.ts";
import type { Readiness } from "./readiness.ts";

export interface PagesOptions {
  /** HOST:PORT; port 0 is any free one. */
  listen: string;
  title: string;
  registry: Registry;
  readiness: Readiness;
  log: Logger;
  /** More pages of the service, for the landing page: path and what it is. */
  links?: Readonly<Record<string, string>>;
  /** Adds the service's own routes, before the last one that answers 404. */
  routes?: (app: Express) => void;
}

export interface Pages {
  /** Where the pages are, without a slash at the end. */
  url: string;
  app: Express;
  close(): Promise<void>;
}

/** In a thread of libuv: the event loop goes on. */
const compress = promisify<string, { level: number }, Buffer>(gzip);
/** A page of metrics repeats itself so much that the least effort is enough. */
const FAST = { level: constants.Z_BEST_SPEED };

/** @throws {Error} the address is in use or cannot be bound */
export async function startPages(options: PagesOptions): Promise<Pages> {
  const app = express();
  app.disable("x-powered-by");
  addCommonRoutes(app, options);
  options.routes?.(app);
  app.use((request, response) => {
    response.status(404).json({ error: `no page ${request.path}` });
  });
  app.use((error: Error, request: Request, response: Response, next: NextFunction) => {
    options.log.error({ err: error, path: request.path }, "page failed");
    if (response.headersSent) next(error);
    else response.status(500).json({ error: error.message });
  });

  const server = createServer(app);
  const { host, port } = splitAddress(options.listen);
  server.listen(port, host);
  await once(server, "listening");
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`;
  options.log.info({ event: "listening", url }, `${options.title}: ${url}/metrics`);
  return {
    url,
    app,
    close: async () => {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, "close");
    },
  };
}

function addCommonRoutes(app: Express, { title, registry, readiness, links }: PagesOptions): void {
  app.get("/metrics", async (request, response) => {
    response.set("content-type", registry.contentType).vary("accept-encoding");
    const page = await registry.metrics();
    if (request.acceptsEncodings("gzip", "identity") !== "gzip") response.send(page);
    else response.set("content-encoding", "gzip").send(await compress(page, FAST));
  });
  app.get("/-/healthy", (_request, response) => {
    response.type("text/plain").send("healthy\n");
  });
  app.get("/-/ready", (_request, response) => {
    response.status(readiness.ready ? 200 : 503).json({ ready: readiness.ready, parts: readiness.parts() });
  });
  const pages = {
    "/metrics": "metrics for Prometheus",
    "/-/ready": "what it waits for",
    "/-/healthy": "alive",
    ...links,
  };
  const items = Object.entries(pages).map(([path, what]) => `<li><a href="${path}">${path}</a> ${what}</li>`);
  app.get("/", (_request, response) => {
    response
      .type("html")
      .send(
        `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1><ul>${items.join("")}</ul></html>`,
      );
  });
}

function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replaceAll(/[[\]]/g, ""), port: Number(address.slice(colon + 1)) };
}
