/** TLS and basic auth (webConfigFile) on the three running services, and a real Prometheus that scrapes them so. */
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import path from "node:path";
import { startPrometheus, type HttpServer } from "@kvm-governor/lab";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { hash as hashOf } from "bcryptjs";
import { ControlPlane } from "../support/control-plane.ts";
import { readDeployed, repository } from "../support/deployed.ts";
import { whyNot } from "../support/requirements.ts";
import { ServiceProcess, waitFor, type ServiceName } from "../support/service-process.ts";

const SERVICES: readonly ServiceName[] = ["collector", "classifier", "actuator"];
const OPENSSL = "/usr/bin/openssl";
const PASSWORD = "open-sesame";

const reason = whyNot(["servers", "prometheus"]) ?? (existsSync(OPENSSL) ? undefined : "no openssl");
const describeHere = reason === undefined ? describe : describe.skip;

describeHere(
  `services with a web configuration${reason === undefined ? "" : ` — skipped: ${reason} —`}`,
  () => {
    let plane: ControlPlane;
    let ca: Buffer;
    let webConfig: string;
    let hash: string;
    let prometheus: HttpServer | undefined;
    const services = new Map<ServiceName, ServiceProcess>();

    beforeAll(async () => {
      plane = await ControlPlane.start();
      const file = (name: string): string => path.join(plane.dir, name);
      const pair = ["-keyout", file("key.pem"), "-out", file("cert.pem")];
      const name = ["-subj", "/CN=kvmgov-test", "-addext", "subjectAltName=IP:127.0.0.1"];
      const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
      execFileSync(OPENSSL, ["req", ...kind, ...pair, ...name], { stdio: "pipe" });
      ca = await readFile(file("cert.pem"));
      webConfig = file("web.yml");
      const tls = { cert_file: "cert.pem", key_file: "key.pem", min_version: "TLS13" };
      const users = { prometheus: (hash = await hashOf(PASSWORD, 10)) };
      await writeFile(webConfig, JSON.stringify({ tls_server_config: tls, basic_auth_users: users }));
      for (const each of SERVICES) services.set(each, await start(each, webConfig));
    }, 90_000);

    afterAll(async () => {
      await prometheus?.server.stop();
      for (const service of services.values()) await service.stop();
      await plane?.stop();
    }, 60_000);

    async function start(name: ServiceName, webConfigFile: string): Promise<ServiceProcess> {
      if (name === "classifier") return plane.classifier({ KVMGOV_WEB_CONFIG_FILE: webConfigFile });
      const { dir, nats } = plane;
      await mkdir(path.join(dir, "libvirt"), { recursive: true });
      return ServiceProcess.start(name, {
        KVMGOV_NATS_URL: nats.url,
        KVMGOV_NATS_USER: nats.user,
        KVMGOV_NATS_PASSWORD: nats.password,
        KVMGOV_HOST_ID: "h1",
        KVMGOV_LIBVIRT_RUN_DIR: path.join(dir, "libvirt"),
        KVMGOV_STATE_DIR: path.join(dir, "state"),
        KVMGOV_RUN_DIR: path.join(dir, "run"),
        KVMGOV_DRY_RUN: "true",
        KVMGOV_WEB_CONFIG_FILE: webConfigFile,
      });
    }

    /** @param user `NAME:PASSWORD`; none: nobody says who they are */
    async function get(
      name: ServiceName,
      page: string,
      user?: string,
    ): Promise<{ status: number; body: string }> {
      const headers =
        user === undefined ? {} : { authorization: `Basic ${Buffer.from(user).toString("base64")}` };
      const asking = request(`${services.get(name)?.url}${page}`, { ca, headers }).end();
      const [response] = (await once(asking, "response")) as [IncomingMessage];
      const body = Buffer.concat(await response.toArray()).toString();
      return { status: response.statusCode ?? 0, body };
    }

    it.each(SERVICES)(
      "%s shows its page to who says who they are, over TLS, and to nobody else",
      async (name) => {
        expect(services.get(name)?.url).toMatch(/^https:/);
        expect(await get(name, "/metrics", `prometheus:${PASSWORD}`)).toMatchObject({
          status: 200,
          body: expect.stringContaining(`kvmgov_build_info{service="${name}"`),
        });
        for (const user of [undefined, "prometheus:wrong", `other:${PASSWORD}`])
          expect({ user, ...(await get(name, "/metrics", user)) }).toMatchObject({ user, status: 401 });
        expect(await get(name, "/-/ready")).toMatchObject({ status: 401 });
        // Tells nothing, and a health check knows no password.
        expect(await get(name, "/-/healthy")).toMatchObject({ status: 200 });
        await expect(fetch(services.get(name)?.url.replace("https:", "http:") ?? "")).rejects.toThrow();
        // A certificate that nobody vouches for.
        await expect(fetch(services.get(name)?.url ?? "")).rejects.toThrow();
      },
    );

    it.each(SERVICES)("%s writes neither password nor hash into its log", (name) => {
      const said = JSON.stringify(services.get(name)?.log);
      expect(said).toContain("listening");
      expect(said).not.toContain(hash);
      expect(said).not.toContain(PASSWORD);
    });

    it.each(SERVICES)(
      "%s does not start with a web configuration that it does not know, and says why",
      async (name) => {
        const file = path.join(plane.dir, `planted-${name}.yml`);
        await writeFile(file, "basic_auth_user: { prometheus: x }\n");
        await expect(start(name, file)).rejects.toThrow(/planted-.*basic_auth_user/s);
      },
    );

    it("answer kvmgov that knows authority and password, and tell it what is missing", async () => {
      const lists = (url: string): Promise<{ code: number; stdout: string; stderr: string }> =>
        new Promise((resolve) => {
          const caFile = path.join(plane.dir, "cert.pem");
          const env = { PATH: process.env["PATH"], KVMGOV_CLASSIFIER_URL: url, NODE_EXTRA_CA_CERTS: caFile };
          const args = [
            "--disable-warning=ExperimentalWarning",
            "packages/cli/src/main.ts",
            "lists",
            "--json",
          ];
          execFile(process.execPath, args, { env, cwd: repository }, (error, stdout, stderr) =>
            resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
          );
        });
      const url = services.get("classifier")?.url ?? "";
      const known = await lists(url.replace("//", `//prometheus:${PASSWORD}@`));
      expect(known).toEqual({ code: 0, stdout: expect.stringMatching(/^\{"hosts":\[/), stderr: "" });
      const unknown = await lists(url.replace("//", "//prometheus:not-this@"));
      expect(unknown).toMatchObject({
        code: 1,
        stdout: "",
        stderr: expect.stringContaining("asks for a user"),
      });
      expect(unknown.stderr).not.toContain("not-this");
    });

    it("are found and scraped by Prometheus with TLS and a password, and not without", async () => {
      const up = async (): Promise<Record<string, number>> => {
        const answer = (await (await fetch(`${prometheus?.url}/api/v1/query?query=up`)).json()) as {
          data: { result: { metric: { job: string }; value: [number, string] }[] };
        };
        return Object.fromEntries(
          answer.data.result.map(({ metric, value }) => [metric.job, Number(value[1])]),
        );
      };
      const start = async (password: string | undefined): Promise<void> => {
        await prometheus?.server.stop();
        const host = new URL(services.get("classifier")?.url ?? "").host;
        const configText = await secured(host, path.join(plane.dir, "cert.pem"), password);
        prometheus = await startPrometheus({
          dir: path.join(plane.dir, `prometheus-${password}`),
          configText,
        });
      };
      const all = { "kvmgov-classifier": 1, "kvmgov-collector": 1, "kvmgov-actuator": 1 };
      await start(PASSWORD);
      await waitFor("all three are up", 30_000, async () =>
        JSON.stringify(sorted(await up())) === JSON.stringify(sorted(all)) ? true : undefined,
      );
      await start("wrong");
      // Discovery is refused as well: only the classifier, which is named, is known, and down.
      await waitFor("the classifier is down", 30_000, async () =>
        JSON.stringify(await up()) === JSON.stringify({ "kvmgov-classifier": 0 }) ? true : undefined,
      );
    }, 90_000);
  },
);

const sorted = (values: Record<string, number>): [string, number][] =>
  Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1));

/** The deployed file with TLS and a password for every request, as docs/operations.md says. */
async function secured(classifier: string, caFile: string, password: string | undefined): Promise<string> {
  const access = `basic_auth: { username: prometheus, password: ${JSON.stringify(password)} }`;
  const text = (await readDeployed("deploy/prometheus/prometheus.yml"))
    .replaceAll("http://classifier:9472", `https://${classifier}`)
    .replaceAll("classifier:9472", classifier)
    .replaceAll(/(_interval|_timeout): \d+s/g, "$1: 1s")
    .replace("rule_files: [rules/*.yml]\n", "");
  return text
    .replaceAll(
      /^( +)- job_name: (\S+)$/gm,
      `$1- job_name: $2\n$1  scheme: https\n$1  tls_config: { ca_file: ${caFile} }\n$1  ${access}`,
    )
    .replace(/^( +)- url: (\S+)$/m, `$1- url: $2\n$1  tls_config: { ca_file: ${caFile} }\n$1  ${access}`);
}
