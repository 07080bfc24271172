/** The bus over TLS with certificates on both sides, on a real nats-server; services and commands alike. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { startNats } from "@kvm-governor/lab";
import type { NatsServer } from "@kvm-governor/lab";
import { connectBus, createLogger, Readiness } from "@kvm-governor/service-kit";
import type { Bus, NatsTls } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { makeCertificates } from "../support/certificates.ts";
import { runKvmgovWith } from "../support/kvmgov-process.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";

jest.setTimeout(30_000);

describeWith(["servers"], "NATS over TLS", () => {
  let dir: string;
  let nats: NatsServer;
  const buses: Bus[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "kvmgov-bus-tls-"));
    makeCertificates(dir, "DNS:localhost");
    const tls = `tls { cert_file: "${dir}/server.pem", key_file: "${dir}/server.key", ca_file: "${dir}/ca.pem", verify: true }`;
    nats = await startNats({
      dir: path.join(dir, "nats"),
      authorization: `authorization { user: lab, password: lab }\n${tls}`,
    });
  }, 60_000);

  afterAll(async () => {
    for (const bus of buses) await bus.close();
    await nats?.server.stop();
    await rm(dir, { recursive: true });
  });

  function connect(tls: NatsTls | undefined): { bus: Bus; readiness: Readiness } {
    const readiness = new Readiness();
    const bus = connectBus({
      // By name: the client does not compare addresses with the certificate.
      url: `tls://localhost:${nats.server.port}`,
      user: "lab",
      password: "lab",
      ...(tls !== undefined && { tls }),
      name: "test",
      manage: true,
      log: createLogger("test", "silent"),
      readiness,
      registry: new Registry(),
    });
    buses.push(bus);
    return { bus, readiness };
  }

  const own = (): NatsTls => ({
    caFile: `${dir}/ca.pem`,
    certFile: `${dir}/client.pem`,
    keyFile: `${dir}/client.key`,
  });

  test("plans are put and read", async () => {
    const { bus, readiness } = connect(own());
    await waitFor("streams", 15_000, () => readiness.parts()["streams"]?.ok || undefined);
    await bus.plans.put("h1", { any: "plan" }, 0);
    expect(JSON.parse(Buffer.from((await bus.plans.get("h1"))?.data ?? []).toString())).toEqual({
      any: "plan",
    });
  });

  test("kvmgov simulate speaks it, and says what is wrong where it cannot", async () => {
    const args = ["simulate", "--hosts", "2", "--guests", "2", "--seconds", "4", "--json"];
    const env = {
      KVMGOV_NATS_URL: `tls://localhost:${nats.server.port}`,
      KVMGOV_NATS_USER: "lab",
      KVMGOV_NATS_PASSWORD: "lab",
    };
    const { stdout, output } = await runKvmgovWith(args, {
      ...env,
      KVMGOV_NATS_TLS: JSON.stringify(own()),
    });
    expect({ output, ...(JSON.parse(stdout) as object) }).toMatchObject({ errors: 0, plansReceived: 0 });
    expect((JSON.parse(stdout) as { samplesSent: number }).samplesSent).toBeGreaterThan(2);
    const without = await runKvmgovWith(args, env);
    expect(without.output).toMatch(/NATS cannot be reached \(.*certificate.*\): set .*KVMGOV_NATS_TLS/);
    const wrong = await runKvmgovWith(args, { ...env, KVMGOV_NATS_TLS: "{ ca: x }" });
    expect(wrong.output).toMatch(/environment variable KVMGOV_NATS_TLS/);
  }, 60_000);

  test.each<[string, (files: NatsTls) => NatsTls | undefined]>([
    [
      "an authority that did not sign the server's certificate",
      (files) => ({ ...files, caFile: `${dir}/other-ca.pem` }),
    ],
    // TLS 1.3: the server drops the connection only after the client's side is done; the client sees silence.
    ["no certificate of its own", ({ caFile }) => ({ caFile })],
    ["a file that is not there", (files) => ({ ...files, caFile: `${dir}/nowhere.pem` })],
    ["no files at all", () => undefined],
  ])("is not spoken with %s, and says why", async (_what, change) => {
    const { bus, readiness } = connect(change(own()));
    const reason = await waitFor("a reason", 10_000, () => {
      const { detail = "" } = readiness.parts()["nats"] ?? {};
      return /connecting to/.test(detail) || detail === "" ? undefined : detail;
    });
    expect(reason).toMatch(/certificate|nowhere|ENOENT|closed|alert|tls|timeout/i);
    expect(bus.up).toBe(false);
  });
});
