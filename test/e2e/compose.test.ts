/** docker-compose.yml and the files that it names: accepted by their own programs, complete, and as closed as promised. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { ensureTools } from "@kvm-governor/lab";
import { parsePolicyFile } from "@kvm-governor/linux";
import { environmentName, loadConfig } from "@kvm-governor/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { actuatorSchema } from "../../services/actuator/src/config.ts";
import { readConfig as readClassifierConfig } from "../../services/classifier/src/config.ts";
import { readConfig as readCollectorConfig } from "../../services/collector/src/config.ts";
import { PASSWORD, readDeployed, replaceOnce, repository } from "../support/deployed.ts";
import { describeWith, whyNot } from "../support/requirements.ts";

interface ComposeService {
  image: string;
  build?: { dockerfile: string; args: { SERVICE: string } };
  cap_add?: string[];
  cap_drop?: string[];
  command?: string[];
  healthcheck?: { test: string[] };
  environment?: Record<string, string | null>;
  networks?: Record<string, unknown>;
  pid?: string;
  ports?: string[];
  privileged?: boolean;
  profiles?: string[];
  read_only?: boolean;
  security_opt?: string[];
  volumes?: (string | { source: string; target: string; read_only?: boolean })[];
}

interface Compose {
  services: Record<string, ComposeService>;
  networks: Record<string, { internal?: boolean }>;
}

interface Outcome {
  code: number;
  output: string;
}

const OWN = ["actuator", "classifier", "collector"] as const;
/** Where the directory of settings is mounted. */
const CONFIG_DIR = "/etc/kvm-governor";
const NEEDS = ["compose", "prometheus", "alertmanager", "servers"] as const;

async function run(set: (typeof NEEDS)[number], name: string, args: string[], env = {}): Promise<Outcome> {
  const program = (await ensureTools([set])).find(name);
  return new Promise((resolve) => {
    const options = { env: { ...program.env, ...env }, cwd: repository };
    execFile(program.path, [...program.args, ...args], options, (error, stdout, stderr) => {
      resolve({
        code: error === null ? 0 : Number(error.code ?? 1),
        output: error === null ? stdout : stderr,
      });
    });
  });
}

describeWith(NEEDS, "docker-compose.yml", () => {
  let dir: string;
  let envFile: string;
  let compose: Compose;

  const config = (file: string, env: string): Promise<Outcome> =>
    run("compose", "docker-compose", [
      "-f",
      file,
      "--project-directory",
      repository,
      "--env-file",
      env,
      "config",
    ]);
  const services = (): [string, ComposeService][] => Object.entries(compose.services);
  const service = (name: string): ComposeService => compose.services[name] ?? { image: "" };

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), `kvmgov-compose-${process.pid}-`));
    envFile = path.join(dir, "env");
    const example = await readDeployed(".env.example");
    await writeFile(envFile, example.replaceAll(/PASSWORD=$/gm, `PASSWORD=${PASSWORD}`));
    const { code, output } = await config("docker-compose.yml", envFile);
    expect({ code, output }).toMatchObject({ code: 0 });
    compose = parse(output) as Compose;
  }, 120_000);

  afterAll(() => rm(dir, { recursive: true, force: true }));

  it("has the servers, the three services, the guardian, Prometheus, Alertmanager and Grafana", () => {
    expect(Object.keys(compose.services).sort()).toEqual([
      ...["actuator", "alertmanager", "classifier", "collector", "grafana", "guardian"],
      ...["nats", "prometheus", "redis"],
    ]);
  });

  it("is refused without passwords, by name", async () => {
    const { code, output } = await config("docker-compose.yml", path.join(repository, ".env.example"));
    expect(code).not.toBe(0);
    expect(output).toMatch(/PASSWORD.*set in \.env/s);
  });

  it("is refused with an error in it", async () => {
    const planted = path.join(dir, "planted.yml");
    const text = await readDeployed("docker-compose.yml");
    await writeFile(planted, replaceOnce(text, "20 s.\n    stop_grace_period:", "20 s.\n    stop_grace:"));
    const { code, output } = await config(planted, envFile);
    expect(code).not.toBe(0);
    expect(output).toMatch(/stop_grace/);
  });

  it("keeps every container closed: no privileges, read-only, reached from this machine alone", () => {
    for (const [name, each] of services()) {
      const { read_only, cap_drop, security_opt, privileged = false } = each;
      expect({ name, read_only, cap_drop, security_opt, privileged }).toEqual({
        name,
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
        privileged: false,
      });
      for (const port of each.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
    const added = services().flatMap(([name, { cap_add = [] }]) => cap_add.map((cap) => `${name} ${cap}`));
    expect(added.sort()).toEqual(["actuator SYS_NICE", "collector PERFMON", "guardian SYS_NICE"]);
    const inHost = services().flatMap(([name, { pid }]) => (pid === "host" ? [name] : []));
    expect(inHost.sort()).toEqual(["actuator", "collector", "guardian"]);
  });

  it("asks every container whether it is well", () => {
    for (const [name, { healthcheck }] of services())
      expect({ name, test: healthcheck?.test }).toEqual({ name, test: expect.arrayContaining(["CMD"]) });
  });

  it("keeps the guardian off every network: it writes as root, and needs nobody", () => {
    expect(service("guardian")).toMatchObject({ network_mode: "none" });
    expect(service("guardian").ports ?? []).toEqual([]);
  });

  it("lets only the classifier reach Redis", () => {
    expect(compose.networks["store"]?.internal).toBe(true);
    const inStore = services().flatMap(([name, { networks = {} }]) => ("store" in networks ? [name] : []));
    expect(inStore.sort()).toEqual(["classifier", "redis"]);
    expect(Object.keys(service("redis").networks ?? {})).toEqual(["store"]);
  });

  it("writes to control groups from actuator and guardian alone, and mounts no socket", () => {
    const mounts = services().flatMap(([name, { volumes = [] }]) =>
      volumes.map((volume) => `${name} ${typeof volume === "string" ? volume : volume.source}`),
    );
    const writable = mounts.filter((mount) => mount.includes("/sys/fs/cgroup") && !mount.endsWith(":ro"));
    expect(writable.sort()).toEqual([
      "actuator /sys/fs/cgroup:/sys/fs/cgroup:rw",
      "guardian /sys/fs/cgroup:/sys/fs/cgroup:rw",
    ]);
    expect(mounts.filter((mount) => /\/run\/(libvirt:|dbus|docker|systemd)/.test(mount))).toEqual([]);
  });

  it("starts all of them with the profile all, and each part with one of control and host", () => {
    const inProfile = (profile: string): string[] =>
      services().flatMap(([name, { profiles = [] }]) => (profiles.includes(profile) ? [name] : []));
    const withoutGrafana = Object.keys(compose.services).filter((name) => name !== "grafana");
    expect(inProfile("all").sort()).toEqual(withoutGrafana.sort());
    expect(inProfile("dashboards")).toEqual(["grafana"]);
    expect(inProfile("host").sort()).toEqual(["actuator", "collector", "guardian"]);
    expect(inProfile("control").sort()).toEqual([
      ...["alertmanager", "classifier", "nats", "prometheus", "redis"],
    ]);
  });

  it("mounts files that are there", () => {
    const sources = services().flatMap(([, { volumes = [] }]) =>
      volumes.map((volume) => (typeof volume === "string" ? (volume.split(":")[0] ?? "") : volume.source)),
    );
    const ours = sources.filter((source) => source.startsWith(repository));
    expect(ours.length).toBeGreaterThanOrEqual(4);
    for (const source of ours)
      expect({ source, exists: existsSync(source) }).toEqual({ source, exists: true });
  });

  /** What compose gives a service, with its settings in another directory than where they are mounted. */
  const environmentOf = (name: string, configDir: string): Record<string, string> =>
    Object.fromEntries(
      Object.entries(service(name).environment ?? {}).flatMap(([key, value]) =>
        value === null ? [] : [[key, String(value).replace(CONFIG_DIR, configDir)] as const],
      ),
    );

  it.each(OWN)("gives the %s only settings that it knows", (name) => {
    const given = environmentOf(name, path.join(repository, "deploy/config"));
    const known = Object.keys(settingsOf(name, given)).map(environmentName);
    expect(Object.keys(given).filter((key) => !known.includes(key) && key !== "KVMGOV_CONFIG")).toEqual([]);
  });

  it.each([...OWN, "guardian"] as const)(
    "has the %s read its mounted file, and refuse errors in it",
    async (name) => {
      const mounted = (service(name).volumes ?? [])
        .map(String)
        .filter((volume) => volume.endsWith(`:${CONFIG_DIR}:ro`));
      expect(mounted).toHaveLength(1);
      const copy = await mkdtemp(path.join(dir, "config-"));
      await cp(path.join(repository, "deploy/config"), copy, { recursive: true });
      const given = environmentOf(name, copy);
      const of = name === "guardian" ? "actuator" : name;
      const file = path.join(copy, `${of}.yaml`);
      const before = await readFile(file, "utf8");
      await writeFile(file, `${before}\nwebConfigFile: /planted\n`);
      expect(settingsOf(of, given)).toMatchObject({ webConfigFile: "/planted" });
      await writeFile(file, `${before}\nplanted: 1\n`);
      expect(() => settingsOf(of, given)).toThrow(/planted/);
    },
  );

  it("has services listen where Prometheus and the classifier look for them", async () => {
    const port = (name: (typeof OWN)[number]): string => {
      const number = service(name).environment?.["KVMGOV_LISTEN"]?.split(":")[1] ?? "";
      expect(service(name).ports).toEqual([`127.0.0.1:${number}:${number}/tcp`]);
      return number;
    };
    const text = await readDeployed("deploy/prometheus/prometheus.yml");
    const classifier = `classifier:${port("classifier")}`;
    expect(text).toContain(`targets: ["${classifier}"]`);
    expect(text).toContain(`url: http://${classifier}/api/v1/prometheus/targets`);
    const registered = parse(service("collector").environment?.["KVMGOV_METRICS_URLS"] ?? "") as unknown;
    expect(registered).toEqual({
      collector: `http://collector:${port("collector")}`,
      actuator: `http://actuator:${port("actuator")}`,
    });
    expect(text).toContain('targets: ["alertmanager:9093"]');
    expect(service("alertmanager").ports).toEqual(["127.0.0.1:9093:9093/tcp"]);
  });
});

/** The settings that a service makes of its environment. @throws {ConfigError} */
function settingsOf(name: (typeof OWN)[number], given: Record<string, string>): object {
  const env = { ...given, KVMGOV_HOST_ID: "h1" };
  if (name === "actuator") return loadConfig(actuatorSchema, { env });
  if (name === "collector") return readCollectorConfig(env);
  const { settings, ...others } = readClassifierConfig(env);
  return { ...settings, ...others };
}

describe("configuration of the servers", () => {
  const itWith = (needs: (typeof NEEDS)[number]) => (whyNot([needs]) === undefined ? it : it.skip);

  itWith("prometheus")(
    "prometheus.yml is accepted by promtool, and not with an error in it",
    async () => {
      const file = path.join(repository, "deploy/prometheus/prometheus.yml");
      expect(await run("prometheus", "promtool", ["check", "config", file])).toMatchObject({ code: 0 });
      const dir = await mkdtemp(path.join(tmpdir(), `kvmgov-promtool-${process.pid}-`));
      const planted = path.join(dir, "prometheus.yml");
      await writeFile(planted, (await readFile(file, "utf8")).replace("scrape_configs", "scrape_config"));
      expect(await run("prometheus", "promtool", ["check", "config", planted])).toMatchObject({ code: 1 });
      await rm(dir, { recursive: true });
    },
    120_000,
  );

  itWith("alertmanager")(
    "alertmanager.yml is accepted by amtool, and not with an error in it",
    async () => {
      const file = path.join(repository, "deploy/alertmanager/alertmanager.yml");
      expect(await run("alertmanager", "amtool", ["check-config", file])).toMatchObject({ code: 0 });
      const dir = await mkdtemp(path.join(tmpdir(), `kvmgov-amtool-${process.pid}-`));
      const planted = path.join(dir, "alertmanager.yml");
      await writeFile(
        planted,
        replaceOnce(await readFile(file, "utf8"), "receiver: operators", "receiver: opera"),
      );
      expect(await run("alertmanager", "amtool", ["check-config", planted])).toMatchObject({ code: 1 });
      await rm(dir, { recursive: true });
    },
    120_000,
  );

  itWith("servers")(
    "nats-server.conf is accepted, and not without passwords",
    async () => {
      const args = ["-t", "-c", "deploy/nats/nats-server.conf"];
      const passwords = { NATS_CONTROL_PASSWORD: `"${PASSWORD}"`, NATS_HOST_PASSWORD: `"${PASSWORD}"` };
      expect(await run("servers", "nats-server", args, passwords)).toMatchObject({ code: 0 });
      const { code, output } = await run("servers", "nats-server", args);
      expect(code).not.toBe(0);
      expect(output).toMatch(/NATS_CONTROL_PASSWORD/);
    },
    120_000,
  );

  it("policy.yaml and its example are valid", async () => {
    const text = await readDeployed("deploy/config/policy.yaml");
    expect(parsePolicyFile(text, "policy.yaml").rules).toEqual([]);
    const example = text.replace(/^rules: \[\]$/m, "").replaceAll(/^# (?=rules:| )/gm, "");
    expect(parsePolicyFile(example, "policy.yaml").rules).toHaveLength(2);
  });
});
