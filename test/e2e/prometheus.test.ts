/** A real Prometheus with deploy/prometheus/prometheus.yml scrapes the three services, which govern real KVM guests. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
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
import { dashboards } from "../../deploy/grafana/source/index.ts";
import { familiesOfServices } from "../docs/families.ts";
import { ConfinedService } from "../support/confined-service.ts";
import {
  PASSWORD,
  readDeployed,
  repository,
  startDeployedNats,
  startDeployedRedis,
  type Deployed,
} from "../support/deployed.ts";
import { answersOf, labelsMissing, optionsOf } from "../support/grafana.ts";
import type { Answer, Option } from "../support/grafana.ts";
import { dashboardSchema } from "../support/grafana-model.ts";
import type { GrafanaDashboard } from "../support/grafana-model.ts";
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
    web = await libvirt.defineAndStart({
      name: "web",
      policy: { class: "auto", slaCores: 0.9 },
      load: { percent: 10 },
      iothreads: 1,
      cputune: { periodUs: 100_000, quotaUs: 90_000 },
    });
    const load = { vcpus: 2, percent: 100 };
    solver = await libvirt.defineAndStart({ name: 'solver "2"', policy: { class: "auto" }, load });
    services = await startServices({ dir, natsUrl: nats.url, redisUrl: redis.url, libvirt });
    await cp(path.join(repository, "deploy/prometheus/rules"), path.join(dir, "rules"), { recursive: true });
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

  /** Of a variable, what Grafana offers to choose from. */
  async function offered(board: GrafanaDashboard, name: string): Promise<Option[]> {
    const variable = board.templating.list.find((each) => each.name === name);
    if (variable?.type !== "query") throw new Error(`${board.uid} has no query variable ${name}`);
    return optionsOf(prometheus.url, variable, { host: "h1" });
  }

  it("lets dashboards choose host and guest by name, whatever a guest is named", async () => {
    const board = deployedDashboard("guest");
    await query(`kvmgov:guest_name:info{uuid=~"${web.uuid}|${solver.uuid}"}`, ({ length }) => length === 2);
    await query("kvmgov:host_name:info", ({ length }) => length === 1);
    expect(await offered(board, "host")).toEqual([{ text: hostname(), value: "h1" }]);
    expect(await offered(board, "guest")).toEqual(
      expect.arrayContaining([
        { text: "web", value: web.uuid },
        { text: 'solver "2"', value: solver.uuid },
      ]),
    );
  }, 90_000);

  it.each(Object.keys(dashboards))(
    "answers every query of the dashboard %s",
    async (name) => {
      const board = deployedDashboard(name);
      const values = { host: "h1", guest: web.uuid };
      let answers: Answer[] = [];
      const surplus = (): string[] =>
        answers
          .filter(
            ({ panel, legend, expr, series }) => series.length === 0 && !mayBeEmpty(panel, legend, expr),
          )
          .map(({ panel, expr }) => `${panel}: ${expr}`);
      await waitFor("series for every query", 90_000, async () => {
        answers = await answersOf(prometheus.url, board, values);
        return surplus().length === 0 ? true : undefined;
      }).catch((cause: unknown) => {
        throw new Error(`nothing for ${surplus().join(" | ")}`, { cause });
      });
      expect(answers.length).toBeGreaterThan(15);
      expect(answers.flatMap(labelsMissing)).toEqual([]);
    },
    120_000,
  );

  it("refuses a query that is none, and has nothing for a name that is wrong", async () => {
    const board = structuredClone(deployedDashboard("fleet"));
    const target = board.panels.flatMap((panel) => (panel.type === "row" ? [] : panel.targets))[0]!;
    target.expr = "sum(kvmgov_planted_total)";
    expect((await answersOf(prometheus.url, board, {}))[0]?.series).toEqual([]);
    target.expr = "sum(kvmgov_planted_total";
    await expect(answersOf(prometheus.url, board, {})).rejects.toThrow(/parse error/);
  });

  it.each(SERVICES)("%s shows the families that docs/metrics.md has, in one order", async (name) => {
    const pageOf = async (): Promise<string> => (await fetch(`${services.get(name)?.url}/metrics`)).text();
    const shown = familiesOn(await pageOf());
    const expected = (await familiesOfServices()).get(name) ?? [];
    expect(shown.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
      expected.map((family) => ({ name: family.name, type: family.type, help: family.help })),
    );
    expect(familiesOn(await pageOf())).toEqual(shown);
  });

  it("tells which version of each service runs", async () => {
    const builds = await query("kvmgov_build_info", (series) => series.length === SERVICES.length);
    expect(new Set(builds.map(({ metric }) => `${metric["job"]} ${metric["service"]}`))).toEqual(
      new Set(SERVICES.map((name) => `kvmgov-${name} ${name}`)),
    );
  }, 60_000);

  it.each(SERVICES)("%s has a page without a fault (promtool check metrics)", async (name) => {
    const page = await (await fetch(`${services.get(name)?.url}/metrics`)).text();
    expect(await checkMetrics(page)).toEqual("");
    expect(await checkMetrics(`${page}\nkvmgov_planted_total{`)).toMatch(/error while linting|text format/);
  });
});

/** Queries (panel: legend) that have nothing to show while all is well, or with these two guests. */
const EMPTY: readonly string[] = [
  "Context switches per second of CPU time: scientific, not held",
  "Errors of the actuators: plan refused: {{reason}}",
  "Errors of classifiers and collectors: {{kind}} refused: {{reason}}",
  "Errors of classifiers and collectors: waiting for {{waiting_for}}",
  "Errors of classifiers and collectors: samples dropped: {{reason}}",
  "What was in the way: {{kind}}",
  "What was in the way: plan refused: {{reason}}",
  "Samples lost: dropped: {{reason}}",
  // Its quota is lifted soon, and then there are no periods.
  "Throttling: periods throttled",
];

/** Without a quota there are no periods that could be throttled. */
const EMPTY_METRIC = "kvmgov:guest_throttled:ratio5m";

const mayBeEmpty = (panel: string, legend: string, expr: string): boolean =>
  EMPTY.includes(`${panel}: ${legend}`) || expr.includes(EMPTY_METRIC);

const deployedDashboard = (name: string): GrafanaDashboard =>
  dashboardSchema.parse(
    JSON.parse(readFileSync(path.join(repository, `deploy/grafana/dashboards/${name}.json`), "utf8")),
  );

/** Our families on a page, in its order. */
function familiesOn(page: string): { name: string; type: string; help: string }[] {
  const types = new Map(
    [...page.matchAll(/^# TYPE (kvmgov_\w+) (\w+)$/gm)].map(([, name = "", type = ""]) => [name, type]),
  );
  return [...page.matchAll(/^# HELP (kvmgov_\w+) (.*)$/gm)].map(([, name = "", help = ""]) => ({
    name,
    type: types.get(name) ?? "",
    help,
  }));
}

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
