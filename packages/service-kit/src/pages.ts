/** The pages of a service: /metrics, /-/healthy, /-/ready and a landing page that names them. */
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import express from "express";
import type { Express, NextFunction, Request, Response } from "express";
import type { Registry } from "prom-client";
import { addLogLevel } from "./log-level.ts";
import { sendMetrics } from "./send-metrics.ts";
import type { Logger } from "./log.ts";
import type { Readiness } from "./readiness.ts";
import { readWebConfig } from "./web-config.ts";
import type { BasicAuth } from "./web-config.ts";

export interface PagesOptions {
  /** HOST:PORT; port 0 is any free one. */
  listen: string;
  title: string;
  registry: Registry;
  readiness: Readiness;
  log: Logger;
  /** TLS and basic auth, see web-config.ts; by default neither. Read once, at the start. */
  webConfigFile?: string | undefined;
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

/** Prometheus scrapes once a minute or more often. */
const KEEP_ALIVE_MS = 75_000;

/** @throws {Error} the address is in use or cannot be bound; {ConfigError} the web configuration cannot be used */
export async function startPages(options: PagesOptions): Promise<Pages> {
  const app = express();
  app.disable("x-powered-by");
  const { tls, users } =
    options.webConfigFile === undefined
      ? { tls: undefined, users: undefined }
      : readWebConfig(options.webConfigFile);
  addHealthy(app);
  if (users !== undefined) addBasicAuth(app, users, options.title);
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

  const server = tls === undefined ? createServer(app) : createTlsServer(tls, app);
  const { host, port } = splitAddress(options.listen);
  // Longer than the usual interval of scrapes: the next one finds its connection open.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(port, host);
  await once(server, "listening");
  const url = `${tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`;
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

/** Open to all: the container's health check knows no password, and it tells nothing. */
function addHealthy(app: Express): void {
  app.get("/-/healthy", (_request, response) => {
    response.type("text/plain").send("healthy\n");
  });
}

/** For everything that is added later. */
function addBasicAuth(app: Express, users: BasicAuth, realm: string): void {
  app.use(async (request, response, next) => {
    if (await users.isAllowed(request.get("authorization"))) return next();
    response.set("www-authenticate", `Basic realm="${realm}"`).status(401).json({ error: "who are you?" });
  });
}

function addCommonRoutes(app: Express, { title, registry, readiness, links, log }: PagesOptions): void {
  addLogLevel(app, log);
  app.get("/metrics", (request, response) => sendMetrics(registry, request, response));
  app.get("/-/ready", (_request, response) => {
    response.status(readiness.ready ? 200 : 503).json({ ready: readiness.ready, parts: readiness.parts() });
  });
  const pages = {
    "/metrics": "metrics for Prometheus",
    "/-/ready": "what it waits for",
    "/-/healthy": "alive",
    "/-/log-level": "least level of what is logged",
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
