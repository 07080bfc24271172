import { once } from "node:events";
import { get } from "node:http";
import type { IncomingMessage } from "node:http";
import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "@jest/globals";
import { Counter, Registry } from "prom-client";
import { labelText, registerFamily } from "./fast-families.ts";
import type { WriteSeries } from "./fast-families.ts";
import { createLogger } from "./log.ts";
import { PageRegistry } from "./page-registry.ts";
import { startPages } from "./pages.ts";
import type { Pages } from "./pages.ts";
import { Readiness } from "./readiness.ts";

const log = createLogger("test", "silent");
const open: Pages[] = [];

async function start({
  listen = "127.0.0.1:0",
  registry = new Registry(),
}: { listen?: string; registry?: Registry } = {}): Promise<{ pages: Pages; readiness: Readiness }> {
  new Counter({ name: "kvmgov_test_total", help: "For the test", registers: [registry] }).inc();
  const readiness = new Readiness();
  const pages = await startPages({
    listen,
    title: "test",
    registry,
    readiness,
    log,
    links: { "/extra": "more" },
    routes: (app) => {
      app.get("/extra", (_request, response) => void response.json({ more: true }));
      app.get("/broken", () => {
        throw new Error("planted");
      });
    },
  });
  open.push(pages);
  return { pages, readiness };
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((pages) => pages.close()));
});

describe("pages", () => {
  it("serves metrics, health and a landing page that names them", async () => {
    const { pages } = await start();
    const metrics = await fetch(`${pages.url}/metrics`);
    expect(metrics.headers.get("content-type")).toMatch(/^text\/plain/);
    expect(await metrics.text()).toContain("kvmgov_test_total 1");
    expect((await fetch(`${pages.url}/-/healthy`)).status).toBe(200);
    const landing = await (await fetch(pages.url)).text();
    for (const path of ["/metrics", "/-/ready", "/-/healthy", "/extra"])
      expect(landing).toContain(`href="${path}"`);
  });

  it("compresses metrics for those who take it, and for nobody else", async () => {
    const { pages } = await start();
    const raw = async (accept: string): Promise<[string | undefined, string]> => {
      const headers = accept === "" ? {} : { "accept-encoding": accept };
      const request = get(`${pages.url}/metrics`, { headers });
      const [response] = (await once(request, "response")) as [IncomingMessage];
      const body = Buffer.concat(await response.toArray());
      const encoding = response.headers["content-encoding"];
      return [encoding, (encoding === "gzip" ? gunzipSync(body) : body).toString()];
    };
    const [plain, page] = await raw("");
    expect([plain, page]).toEqual([undefined, expect.stringContaining("kvmgov_test_total 1")]);
    expect(await raw("gzip")).toEqual(["gzip", page]);
    expect(await raw("gzip;q=0, identity")).toEqual([undefined, page]);
  });

  it("sends a large page in pieces, the same with and without gzip, and outlives who gives up in the middle", async () => {
    const registry = new PageRegistry(() => performance.now());
    const spec = { name: "kvmgov_large_total", help: "Large", type: "counter", labels: ["name"] } as const;
    const collect = (write: WriteSeries): void => {
      for (let at = 0; at < 50_000; at++) write(labelText({ name: `series ${at}` }), at);
    };
    registerFamily(registry, spec, collect, (family) => {
      throw new Error(family);
    });
    const { pages } = await start({ registry });
    const bodies = ["identity", "gzip"].map(async (accept) => {
      const response = await fetch(`${pages.url}/metrics`, { headers: { "accept-encoding": accept } });
      expect(response.headers.get("content-encoding")).toBe(accept === "gzip" ? "gzip" : null);
      return response.text();
    });
    const giveUp = get(`${pages.url}/metrics`, { headers: { "accept-encoding": "gzip" } });
    giveUp.once("response", () => giveUp.destroy());
    giveUp.on("error", () => undefined);
    const [plain, unzipped] = await Promise.all(bodies);
    expect(plain?.match(/^kvmgov_large_total\{/gm)?.length).toBe(50_000);
    expect(unzipped).toBe(plain);
    expect((await fetch(`${pages.url}/-/healthy`)).status).toBe(200);
  });

  it("says which part is not ready", async () => {
    const { pages, readiness } = await start();
    readiness.set("nats", true);
    expect((await fetch(`${pages.url}/-/ready`)).status).toBe(200);
    readiness.set("redis", false, "connection refused");
    const answer = await fetch(`${pages.url}/-/ready`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({
      ready: false,
      parts: { nats: { ok: true, detail: "up" }, redis: { ok: false, detail: "connection refused" } },
    });
  });

  it("answers an unknown page with 404 and a failing one with 500, and goes on", async () => {
    const { pages } = await start();
    expect((await fetch(`${pages.url}/nowhere`)).status).toBe(404);
    const broken = await fetch(`${pages.url}/broken`);
    expect([broken.status, await broken.json()]).toEqual([500, { error: "planted" }]);
    expect((await fetch(`${pages.url}/extra`)).status).toBe(200);
  });

  it("listens on IPv6", async () => {
    const { pages } = await start({ listen: "[::1]:0" });
    expect(pages.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await fetch(`${pages.url}/-/healthy`)).status).toBe(200);
  });

  it("refuses an address that is in use", async () => {
    const { pages } = await start();
    await expect(start({ listen: pages.url.slice("http://".length) })).rejects.toThrow(/EADDRINUSE/);
  });
});
