/** A real Prometheus, and a real Alertmanager. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { Server } from "./server.ts";
import { type Tools, ensureTools } from "./tools.ts";

export interface PrometheusOptions {
  /** Configuration, log and data; kept at the end, the caller's to remove. */
  dir: string;
  /** The whole configuration file (YAML). */
  configText: string;
  log?: (line: string) => void;
}

export interface HttpServer {
  server: Server;
  /** `http://127.0.0.1:PORT`. */
  url: string;
}

/** Starts Prometheus on a free loopback port. Throws LabError or ToolboxError. */
export async function startPrometheus(options: PrometheusOptions): Promise<HttpServer> {
  const tools = await ensureTools(["prometheus"], options.log === undefined ? {} : { log: options.log });
  const data = `--storage.tsdb.path=${path.join(options.dir, "prometheus")}`;
  return startHttp("prometheus", tools, options, [data, "--web.enable-lifecycle"]);
}

/** Starts Alertmanager, without a cluster, on a free loopback port. Throws LabError or ToolboxError. */
export async function startAlertmanager(options: PrometheusOptions): Promise<HttpServer> {
  const tools = await ensureTools(["alertmanager"], options.log === undefined ? {} : { log: options.log });
  const data = `--storage.path=${path.join(options.dir, "alertmanager")}`;
  return startHttp("prometheus-alertmanager", tools, options, [data, "--cluster.listen-address="]);
}

async function startHttp(
  name: string,
  tools: Tools,
  options: PrometheusOptions,
  args: string[],
): Promise<HttpServer> {
  await mkdir(options.dir, { recursive: true });
  const config = path.join(options.dir, `${name}.yml`);
  await writeFile(config, options.configText, { mode: 0o600 });
  const server = await Server.start({
    name,
    program: tools.find(name),
    logFile: path.join(options.dir, `${name}.log`),
    args: (port) => [`--config.file=${config}`, `--web.listen-address=127.0.0.1:${port}`, ...args],
    probe: async (port) => (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok,
  });
  return { server, url: `http://127.0.0.1:${server.port}` };
}
