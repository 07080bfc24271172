/** What `kvmgov doctor` says of real servers: limits that our streams would not fit into, TLS, and a Redis that keeps nothing. */
import { afterAll, afterEach, beforeAll, expect, jest, test } from "@jest/globals";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startNats, startRedis } from "@kvm-governor/lab";
import type { NatsServer, Server } from "@kvm-governor/lab";
import { makeCertificates } from "../support/certificates.ts";
import { runKvmgovWith } from "../support/kvmgov-process.ts";
import { describeWith } from "../support/requirements.ts";

jest.setTimeout(60_000);

interface Check {
  name: string;
  status: string;
  reason: string;
}

describeWith(["servers"], "kvmgov doctor", () => {
  let dir: string;
  const servers: Server[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "kvmgov-doctor-"));
    makeCertificates(dir, "DNS:localhost");
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
  });
  afterAll(() => rm(dir, { recursive: true }));

  async function nats(name: string, authorization: string): Promise<NatsServer> {
    const started = await startNats({ dir: path.join(dir, name), authorization });
    servers.push(started.server);
    return started;
  }

  /** Its checks of servers by name. */
  async function doctor(env: Record<string, string>): Promise<Record<string, Check | undefined>> {
    const { stdout } = await runKvmgovWith(["doctor", "--json"], env);
    const { checks } = JSON.parse(stdout) as { checks: Check[] };
    return Object.fromEntries(checks.map((check) => [check.name, check]));
  }

  const login = (url: string, user: string): Record<string, string> => ({
    KVMGOV_NATS_URL: url,
    KVMGOV_NATS_USER: user,
    KVMGOV_NATS_PASSWORD: "secret",
  });

  test("sees an account that our streams do not fit into, and one that they do", async () => {
    const { url } = await nats(
      "accounts",
      `accounts {
         SMALL { jetstream { max_mem: 64MB, max_file: 64MB, max_streams: 2 }, users [{ user: small, password: secret }] }
         LARGE { jetstream: enabled, users [{ user: large, password: secret }] }
         NONE { users [{ user: none, password: secret }] }
       }`,
    );
    const small = await doctor(login(url, "small"));
    expect(small["nats"]).toMatchObject({ status: "ok" });
    expect(small["nats limits"]).toMatchObject({ status: "fail", reason: expect.stringContaining("64 MiB") });
    const fits = await doctor({ ...login(url, "small"), KVMGOV_STREAM_BYTES_MAX: "10000000" });
    expect(fits["nats limits"]).toMatchObject({ status: "ok" });
    expect((await doctor(login(url, "large")))["nats limits"]).toMatchObject({ status: "ok" });
    expect((await doctor(login(url, "none")))["nats limits"]).toMatchObject({ status: "fail" });
    expect((await doctor(login(url, "nobody")))["nats"]).toMatchObject({
      status: "fail",
      reason: expect.stringContaining("Authorization"),
    });
  });

  test("speaks TLS as the services do", async () => {
    const tls = `tls { cert_file: "${dir}/server.pem", key_file: "${dir}/server.key", ca_file: "${dir}/ca.pem", verify: true }`;
    const { server } = await nats("tls", `authorization { user: lab, password: secret }\n${tls}`);
    const env = login(`tls://localhost:${server.port}`, "lab");
    const files = { caFile: `${dir}/ca.pem`, certFile: `${dir}/client.pem`, keyFile: `${dir}/client.key` };
    const well = await doctor({ ...env, KVMGOV_NATS_TLS: JSON.stringify(files) });
    expect([well["nats"], well["nats limits"]]).toMatchObject([{ status: "ok" }, { status: "ok" }]);
    expect((await doctor(env))["nats"]).toMatchObject({
      status: "fail",
      reason: expect.stringMatching(/CERT|certificate|SELF_SIGNED|UNABLE/i),
    });
  });

  test.each([
    ["yes", "ok"],
    ["no", "warn"],
  ])("sees whether Redis writes what it is told to a file: %s", async (appendonly, status) => {
    const redis = await startRedis({
      dir: path.join(dir, `redis-${appendonly}`),
      config: `appendonly ${appendonly}`,
    });
    servers.push(redis.server);
    const found = await doctor({ KVMGOV_REDIS_URL: redis.url, KVMGOV_REDIS_PASSWORD: redis.password });
    expect([found["redis"]?.status, found["redis AOF"]?.status]).toEqual(["ok", status]);
  });
});
