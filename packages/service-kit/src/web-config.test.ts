import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { hashSync } from "bcryptjs";
import { Registry } from "prom-client";
import { ConfigError } from "./config.ts";
import { createLogger } from "./log.ts";
import { startPages, type Pages } from "./pages.ts";
import { Readiness } from "./readiness.ts";
import { BasicAuth, readWebConfig } from "./web-config.ts";

const HASH = hashSync("right", 4);
const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

describe("BasicAuth", () => {
  it("lets in who knows the password, and nobody else", async () => {
    const users = new BasicAuth({ alice: HASH });
    expect(await users.isAllowed(basic("alice:right"))).toBe(true);
    for (const other of ["alice:wrong", "alice:", "bob:right", ":right", "right", "alice"])
      expect({ other, isAllowed: await users.isAllowed(basic(other)) }).toEqual({ other, isAllowed: false });
    for (const header of [undefined, "", "Bearer x", "Basic", "Basic %%%"])
      expect(await users.isAllowed(header)).toBe(false);
  });

  it("compares once for each password, and keeps no more than a thousand answers", async () => {
    const users = new BasicAuth({ alice: HASH });
    const header = basic("alice:right");
    expect(users.isAllowed(header)).toBe(users.isAllowed(header));
    const first = users.isAllowed(header);
    const guesses = Array.from({ length: 1100 }, (_, at) => {
      if (at % 500 === 0) void users.isAllowed(header);
      return users.isAllowed(basic(`alice:${at}`));
    });
    expect(users.answersKept).toBe(1000);
    expect(users.isAllowed(header)).toBe(first);
    expect((await Promise.all(guesses)).some(Boolean)).toBe(false);
    // More than a thousand comparisons, on a machine that may be busy.
  }, 60_000);
});

const hasOpenssl = existsSync("/usr/bin/openssl");
const describeWithOpenssl = hasOpenssl ? describe : describe.skip;

describeWithOpenssl(`pages with a web configuration${hasOpenssl ? "" : " — skipped: no openssl —"}`, () => {
  let dir: string;
  let pages: Pages;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "kvmgov-web-config-"));
    const pair = ["-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem")];
    const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    execFileSync("/usr/bin/openssl", ["req", ...kind, ...pair, ...name], { stdio: "pipe" });
    pages = await startPages({
      listen: "127.0.0.1:0",
      title: "test",
      registry: new Registry(),
      readiness: new Readiness(),
      log: createLogger("test", "silent"),
      webConfigFile: config(`
        tls_server_config: { cert_file: cert.pem, key_file: key.pem, min_version: TLS13 }
        basic_auth_users: { alice: ${HASH} }`),
    });
  });

  afterAll(async () => {
    await pages.close();
    rmSync(dir, { recursive: true });
  });

  function config(text: string): string {
    const file = join(dir, "web.yml");
    writeFileSync(file, text);
    return file;
  }

  async function ask(path: string, options: object = {}): Promise<IncomingMessage> {
    const ca = readFileSync(join(dir, "cert.pem"));
    const asked = request(pages.url + path, { ca, servername: "localhost", ...options });
    asked.end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    response.resume();
    return response;
  }

  it("speak TLS, and ask who it is", async () => {
    expect(pages.url).toMatch(/^https:/);
    const refused = await ask("/metrics");
    expect([refused.statusCode, refused.headers["www-authenticate"]]).toEqual([401, 'Basic realm="test"']);
    const authorization = basic("alice:right");
    expect((await ask("/metrics", { headers: { authorization } })).statusCode).toBe(200);
    expect((await ask("/nowhere", { headers: { authorization } })).statusCode).toBe(404);
    expect((await ask("/-/healthy")).statusCode).toBe(200);
  });

  it("refuse older TLS, and a client that trusts somebody else", async () => {
    await expect(ask("/-/healthy", { maxVersion: "TLSv1.2" })).rejects.toThrow(/protocol version|alert/i);
    await expect(ask("/-/healthy", { ca: undefined })).rejects.toThrow(/self-signed/);
  });

  it.each([
    ["tls_server_configs: {}", /tls_server_configs/],
    ["tls_server_config: { cert_file: cert.pem }", /key_file/],
    ["tls_server_config: { cert_file: c, key_file: k, cipher_suites: [] }", /cipher_suites/],
    [
      "tls_server_config: { cert_file: c, key_file: k, client_auth_type: RequireAndVerifyClientCert }",
      /client_ca_file/,
    ],
    ["basic_auth_users: { alice: secret }", /not a bcrypt hash/],
  ])("are not started with %s", (text, problem) => {
    expect(() => readWebConfig(config(text))).toThrow(ConfigError);
    expect(() => readWebConfig(config(text))).toThrow(problem);
  });
});
