import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { TestSource, guest, uuidOf } from "../testing/source.ts";
import { Assets } from "./assets.ts";
import { Console } from "./handler.ts";
import { routeOf } from "./routes.ts";

let url = "";
let pages: Console;
let close: () => Promise<void>;
const source = new TestSource();

beforeEach(async () => {
  source.tick("h1", [guest(1, 0.5, { name: "</script><img src=x onerror=alert(1)>" })]);
  pages = new Console({ source, streamsMax: 2, onError: (what, error) => console.error(what, error) });
  const server = createServer((request, response) => pages.handle(request.url ?? "/", request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = async () => {
    pages.close();
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
});
afterEach(() => close());

describe("pages", () => {
  it.each(["/", "/host/h1", `/host/h1/guest/${uuidOf(1)}`])(
    "%s has a strict policy, and no data or inline code",
    async (path) => {
      const response = await fetch(url + path);
      const text = await response.text();
      expect(response.status).toBe(200);
      const policy = response.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
      expect(text).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|h1\b[^>]*alert/);
      for (const [, address = ""] of text.matchAll(/(?:src|href)="([^"]+)"/g))
        expect(address).toMatch(/^[/#]/);
    },
  );

  it.each([
    "/nothing",
    "/host/a.b",
    "/host/h1/guest/not-a-uuid",
    "/assets/../handler.ts",
    "/assets/facts.ts",
    "/host/h1/other",
  ])("%s is none", async (path) => {
    const response = await fetch(url + path.replace("..", "%2e%2e"));
    expect(response.status).toBe(404);
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
  });

  it("is read-only", async () => {
    const response = await fetch(`${url}/`, { method: "POST" });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });
});

describe("files", () => {
  it("are JavaScript without types, and name nothing that is not served", async () => {
    const names = new Set(new Assets().names());
    for (const name of names) {
      const response = await fetch(`${url}/assets/${name}`);
      const text = await response.text();
      expect([name, response.status]).toEqual([name, 200]);
      if (!name.endsWith(".ts")) continue;
      expect(response.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
      expect(text).not.toMatch(/\bimport type\b|\binterface [A-Z]|innerHTML|insertAdjacentHTML|\beval\(/);
      for (const [, specifier = ""] of text.matchAll(/^import .*from "([^"]+)"/gm)) {
        const imported = new URL(specifier, `http://x/${name}`).pathname.slice(1);
        expect([name, imported, names.has(imported)]).toEqual([name, imported, true]);
      }
    }
  });

  it("are not sent again while they are the same", async () => {
    const first = await fetch(`${url}/assets/console.css`);
    await first.text();
    const etag = first.headers.get("etag") ?? "";
    const again = await fetch(`${url}/assets/console.css`, { headers: { "if-none-match": etag } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    const plain = await fetch(`${url}/assets/console.css`, { headers: { "accept-encoding": "identity" } });
    expect([plain.headers.get("content-encoding"), first.headers.get("content-encoding")]).toEqual([
      null,
      "gzip",
    ]);
  });
});

describe("streams", () => {
  async function open(path: string): Promise<{ status: number; first: string; cancel: () => Promise<void> }> {
    const response = await fetch(url + path);
    const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
    const { value } = (await reader?.read()) ?? {};
    const first = new TextDecoder().decode(value);
    return { status: response.status, first, cancel: async () => reader?.cancel() };
  }

  it.each(["/events", "/host/h1/events", `/host/h1/guest/${uuidOf(1)}/events`])(
    "%s begins with the whole model",
    async (path) => {
      const stream = await open(path);
      expect(stream.first).toMatch(/^id: [0-9a-f-]+\/1\nevent: full\ndata: \{"now":\d+,"model":/);
      await stream.cancel();
    },
  );

  it("refuses one too many, with words, and lets the next in when one has gone", async () => {
    const streams = [await open("/events"), await open("/events")];
    const refused = await open("/events");
    expect([refused.status, refused.first]).toEqual([
      503,
      expect.stringContaining("2 pages are open already, which is the limit"),
    ]);
    expect(pages.stats).toMatchObject({ streams: 2, refused: 1 });
    await streams[0]?.cancel();
    while (pages.stats.streams === 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const next = await open("/events");
    expect(next.status).toBe(200);
    await Promise.all([next, ...streams].map((stream) => stream.cancel()));
  });
});

it("takes ids for ids, and nothing else", () => {
  expect(routeOf("/host/h-1_A/events")).toEqual({ kind: "events", page: "host", host: "h-1_A" });
  expect(routeOf(`/host/h1/guest/${uuidOf(1)}`)).toEqual({
    kind: "page",
    page: "guest",
    host: "h1",
    uuid: uuidOf(1),
  });
  for (const path of [
    "/host/",
    "/host/%3Cimg%3E",
    `/host/a.b/guest/${uuidOf(1)}`,
    "/host/a/b",
    `/host/h1/guest/${uuidOf(1)}/x`,
    "/Events",
  ])
    expect(routeOf(path)).toBeUndefined();
});
