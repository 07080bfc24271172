/** A real Prometheus with deploy/prometheus/prometheus.yml scrapes the three services, which govern real KVM guests. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  ensureTools,
  startLibvirt,
  startPrometheus,
  type Guest,
  type HttpServer,
  type Libvirt,
} from "@kvm-governor/lab";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { ConfinedService } from "../support/confined-service.ts";
import {
  PASSWORD,
  readDeployed,
  startDeployedNats,
  startDeployedRedis,
  type Deployed,
} from "../support/deployed.ts";
import { describeWith } from "../support/requirements.ts";
import { ServiceProcess, waitFor } from "../support/service-process.ts";

const SERVICES = ["collector", "classifier", "actuator"] as const;
/** Of deploy/prometheus/prometheus.yml. */
const SCRAPE_MS = 5000;
const CHECK_PERIOD_MS = 500;

interface Service {
  url: string;
  stop(): Promise<number | null>;
}

interface Series {
  metric: Record<string, string>;
  value: number;
}

describeWith(["root", "kvm", "lab", "servers", "prometheus"], "Prometheus over the three services", () => {
  let dir: string;
  let servers: Deployed[];
  let libvirt: Libvirt;
  let web: Guest;
  let solver: Guest;
  let services: Map<string, Service>;
  let prometheus: HttpServer;

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), `kvmgov-prometheus-${process.pid}-`));
    const nats = await startDeployedNats(dir);
    const redis = await startDeployedRedis(dir);
    servers = [nats, redis];
    libvirt = await startLibvirt();
    web = await libvirt.defineAndStart({ name: "web", policy: { class: "auto" }, load: { percent: 10 } });
    const load = { vcpus: 2, percent: 100 };
    solver = await libvirt.defineAndStart({ name: 'solver "2"', policy: { class: "auto" }, load });
    services = await startServices({ dir, natsUrl: nats.url, redisUrl: redis.url, libvirt });
    prometheus = await startPrometheus({ dir, configText: await configFor(services) });
  }, 120_000);

  afterAll(async () => {
    await prometheus?.server.stop();
    for (const service of services?.values() ?? []) await service.stop();
    await libvirt?.stop();
    for (const { server } of servers ?? []) await server.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  /** Waits until an expression (PromQL) gives what is looked for. */
  async function query(expression: string, isEnough: (series: Series[]) => boolean): Promise<Series[]> {
    let last: Series[] = [];
    try {
      return await waitFor(expression, 12 * SCRAPE_MS, async () => {
        last = await ask(prometheus.url, expression);
        return isEnough(last) ? last : undefined;
      });
    } catch (cause) {
      throw new Error(`${expression} gave ${JSON.stringify(last)}`, { cause });
    }
  }

  it("finds all three up, each by its own job", async () => {
    const up = await query("up == 1", (series) => series.length === SERVICES.length);
    const jobs = new Set(up.map(({ metric }) => metric["job"]));
    expect(jobs).toEqual(new Set(SERVICES.map((name) => `kvmgov-${name}`)));
  }, 60_000);

  it("finds the classes of the guests by name", async () => {
    const byName =
      'kvmgov_guest_scientific * on (uuid) group_left (name) kvmgov_guest_info{source="libvirt"}';
    const classes = await query(byName, (series) => series.some(({ value }) => value === 1));
    const found = new Map(classes.map(({ metric, value }) => [metric["name"], value]));
    expect(found).toEqual(
      new Map([
        ["web", 0],
        ['solver "2"', 1],
      ]),
    );
    expect(new Set(classes.map(({ metric }) => metric["uuid"]))).toEqual(new Set([web.uuid, solver.uuid]));
  }, 60_000);

  it("finds the usage of vCPUs by rate(), from the kernel's own counters", async () => {
    const rate = `sum by (uuid) (rate(kvmgov_vcpu_run_seconds_total{uuid=~"${web.uuid}|${solver.uuid}"}[20s]))`;
    const earlier = ranSeconds(solver);
    const rates = await query(
      rate,
      (series) => series.length === 2 && series.every(({ value }) => value > 0),
    );
    const usage = new Map(rates.map(({ metric, value }) => [metric["uuid"], value]));
    expect(usage.get(solver.uuid)).toBeGreaterThan(3 * (usage.get(web.uuid) ?? Infinity));
    await new Promise((resolve) => setTimeout(resolve, SCRAPE_MS + 1000));
    const scraped = await ask(prometheus.url, `kvmgov_vcpu_run_seconds_total{uuid="${solver.uuid}"}`);
    const later = ranSeconds(solver);
    expect(new Set(scraped.map(({ metric }) => metric["vcpu"]))).toEqual(new Set(["0", "1"]));
    for (const { metric, value } of scraped) {
      const vcpu = Number(metric["vcpu"]);
      expect(value).toBeGreaterThan(earlier[vcpu] ?? Infinity);
      expect(value).toBeLessThanOrEqual(later[vcpu] ?? 0);
    }
  }, 90_000);

  it("finds that the actuator follows the plan that the classifier decided on", async () => {
    await query(
      "kvmgov_plan_generation == on () kvmgov_actuator_plan_generation",
      (series) => series.length === 1,
    );
    await query("kvmgov_actuator_guests_held", ([first]) => (first?.value ?? 0) >= 1);
  }, 100_000);

  it("finds that the capabilities of docker-compose.yml are enough to count switches and to write", async () => {
    await query("kvmgov_collector_perf_available", ([first]) => first?.value === 1);
    await query("kvmgov_actuator_dry_run", ([first]) => first?.value === 0);
    const switches = `kvmgov_vcpu_context_switches_total{uuid="${web.uuid}"}`;
    await query(switches, ([first]) => (first?.value ?? 0) > 0);
  }, 100_000);

  it.each(SERVICES)("%s has a page without a fault (promtool check metrics)", async (name) => {
    const page = await (await fetch(`${services.get(name)?.url}/metrics`)).text();
    expect(await checkMetrics(page)).toEqual("");
    expect(await checkMetrics(`${page}\nkvmgov_planted_total{`)).toMatch(/error while linting|text format/);
  });
});

interface Place {
  dir: string;
  natsUrl: string;
  redisUrl: string;
  libvirt: Libvirt;
}

async function startServices(place: Place): Promise<Map<string, Service>> {
  const policyFile = path.join(place.dir, "policy.yaml");
  // Guests of other tests on this machine are none of ours; ours declare themselves.
  await writeFile(policyFile, 'rules: [{ match: { name: "*" }, class: exempt }]\n');
  await mkdir(path.join(place.dir, "state"));
  const period = { KVMGOV_CHECK_PERIOD_MS: String(CHECK_PERIOD_MS) };
  const ofHost = {
    KVMGOV_NATS_URL: place.natsUrl,
    KVMGOV_NATS_USER: "host",
    KVMGOV_NATS_PASSWORD: PASSWORD,
    KVMGOV_HOST_ID: "h1",
    KVMGOV_LIBVIRT_RUN_DIR: path.join(place.libvirt.runDir, "qemu"),
    KVMGOV_STATE_DIR: path.join(place.dir, "state"),
    KVMGOV_RUN_DIR: path.join(place.dir, "run"),
    KVMGOV_POLICY_FILE: policyFile,
  };
  const ofFleet = {
    KVMGOV_NATS_URL: place.natsUrl,
    KVMGOV_NATS_USER: "control",
    KVMGOV_NATS_PASSWORD: PASSWORD,
    KVMGOV_REDIS_URL: place.redisUrl,
    KVMGOV_REDIS_PASSWORD: PASSWORD,
    KVMGOV_BETA: "2",
  };
  const services = new Map<string, Service>();
  services.set("classifier", await ServiceProcess.start("classifier", { ...ofFleet, ...period }));
  const actuator = await ConfinedService.start("actuator", await capabilities("actuator"), ofHost);
  services.set("actuator", actuator);
  const urls = { KVMGOV_METRICS_URLS: JSON.stringify({ actuator: actuator.url }) };
  const collector = { ...ofHost, ...period, ...urls };
  services.set(
    "collector",
    await ConfinedService.start("collector", await capabilities("collector"), collector),
  );
  return services;
}

/** Those that docker-compose.yml adds, with the default of a variable. */
async function capabilities(name: string): Promise<string[]> {
  const { services } = parse(await readDeployed("docker-compose.yml"), { merge: true }) as {
    services: Record<string, { cap_add?: string[] }>;
  };
  return (services[name]?.cap_add ?? []).map((each) => each.replace(/^\$\{\w+:-(\w+)\}$/, "$1"));
}

/** The deployed configuration; nothing but the address of the classifier is replaced: it names all others. */
async function configFor(services: ReadonlyMap<string, Service>): Promise<string> {
  const text = await readDeployed("deploy/prometheus/prometheus.yml");
  return text.replaceAll("classifier:9472", new URL(services.get("classifier")?.url ?? "").host);
}

async function ask(url: string, expression: string): Promise<Series[]> {
  const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`);
  const answer = (await response.json()) as {
    status: string;
    error?: string;
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  if (answer.status !== "success") throw new Error(`${expression}: ${answer.error}`);
  return answer.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
}

/** CPU time of each vCPU by the kernel, in seconds (/proc/PID/task/TID/schedstat). */
function ranSeconds(guest: Guest): number[] {
  return guest.vcpuTids.map((tid) => {
    const text = readFileSync(`/proc/${guest.pid}/task/${tid}/schedstat`, "utf8");
    return Number(text.split(" ")[0]) / 1e9;
  });
}

/** What promtool has to say about a page; nothing when it is in order. */
async function checkMetrics(page: string): Promise<string> {
  const promtool = (await ensureTools(["prometheus"])).find("promtool");
  return new Promise((resolve) => {
    const args = [...promtool.args, "check", "metrics"];
    const child = execFile(promtool.path, args, { env: promtool.env }, (error, stdout, stderr) => {
      resolve(error === null ? "" : stdout + stderr || error.message);
    });
    child.stdin?.end(page);
  });
}
