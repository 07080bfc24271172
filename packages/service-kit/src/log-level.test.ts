import { networkInterfaces } from "node:os";
import { afterEach, describe, expect, it } from "@jest/globals";
import { Registry } from "prom-client";
import { createLogger } from "./log.ts";
import { startPages } from "./pages.ts";
import type { Pages } from "./pages.ts";
import { Readiness } from "./readiness.ts";

const open: Pages[] = [];

async function start(listen = "127.0.0.1:0") {
  const log = createLogger("test", "error");
  const pages = await startPages({
    listen,
    title: "test",
    registry: new Registry(),
    readiness: new Readiness(),
    log,
  });
  open.push(pages);
  return { log, url: pages.url };
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((pages) => pages.close()));
});

async function put(
  url: string,
  query: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(`${url}/-/log-level${query}`, { method: "PUT", headers });
  return { status: answer.status, body: await answer.json() };
}

/** An address of this machine that is not loopback; undefined: there is none. */
const otherAddress = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.internal === false && each.family === "IPv4")?.address;

describe("the page of the log level", () => {
  it.each(["127.0.0.1:0", "[::1]:0"])("shows it and sets it, from %s", async (listen) => {
    const { log, url } = await start(listen);
    expect(await (await fetch(`${url}/-/log-level`)).json()).toEqual({ level: "error" });
    expect(await put(url, "?level=debug")).toEqual({ status: 200, body: { level: "debug" } });
    expect(log.level).toBe("debug");
  });

  it.each(["", "?level=loud", "?level=debug&level=info"])("refuses what is no level: %j", async (query) => {
    const { log, url } = await start();
    expect(await put(url, query)).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("fatal") },
    });
    expect(log.level).toBe("error");
  });

  it.each(["x-forwarded-for", "forwarded"])("is not set through a proxy (%s)", async (header) => {
    const { log, url } = await start();
    expect(await put(url, "?level=debug", { [header]: "for=192.0.2.1" })).toMatchObject({ status: 403 });
    expect(log.level).toBe("error");
  });

  (otherAddress === undefined ? it.skip : it)("is not set from another address", async () => {
    const { log, url } = await start("0.0.0.0:0");
    const other = url.replace("0.0.0.0", otherAddress ?? "");
    expect((await put(other, "?level=debug")).status).toBe(403);
    expect(log.level).toBe("error");
  });
});
