/** HTTP service discovery for Prometheus: the pages that hosts registered, and nothing else. */
import { Gauge } from "prom-client";
import type { Registry } from "prom-client";
import type { HostView, Views } from "./views.ts";

/** One target of Prometheus (HTTP SD): labels that begin with `__` are for relabelling alone. */
export interface Target {
  targets: [address: string];
  labels: Record<string, string>;
}

/** The services that run on hosts; who registers others is not listened to. */
const SERVICES = ["collector", "actuator"] as const;
/** Longer than the alert for a page that is down takes, shorter than a host that was taken away should be missed. */
const LISTED_FOR_MS = 3_600_000;

/**
 * Pages of the hosts that were heard of in the last hour, in a fixed order.
 * @param isAllowed whether a page may be at this host name or address
 * @param refused hears of each that may not
 */
export function prometheusTargets(
  hosts: Iterable<readonly [string, HostView]>,
  nowMs: number,
  isAllowed: (hostname: string) => boolean,
  refused: () => void = () => undefined,
): Target[] {
  const targets: Target[] = [];
  for (const [host, { announced }] of [...hosts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (announced === undefined || nowMs - announced.receivedAtMs > LISTED_FOR_MS) continue;
    for (const service of SERVICES) {
      const page = pageOf(announced.host.metrics[service]);
      if (page === undefined) continue;
      if (!isAllowed(page.hostname)) {
        refused();
        continue;
      }
      const labels = {
        __scheme__: page.scheme,
        __meta_kvmgov_service: service,
        __meta_kvmgov_host: host,
        __meta_kvmgov_host_name: announced.host.name,
        __meta_kvmgov_last_seen_seconds: String(announced.receivedAtMs / 1000),
      };
      targets.push({ targets: [page.address], labels });
    }
  }
  return targets;
}

interface Page {
  scheme: "http" | "https";
  hostname: string;
  address: string;
}

/** Undefined for what is no plain address of a metrics page: a host's word decides where Prometheus sends its requests. */
function pageOf(text: string | undefined): Page | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined;
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text);
  if (protocol !== "http:" && protocol !== "https:") return undefined;
  if (!["/", "/metrics"].includes(pathname) || `${username}${password}${search}${hash}` !== "")
    return undefined;
  const scheme = protocol === "https:" ? "https" : "http";
  return { scheme, hostname, address: `${hostname}:${port || (scheme === "https" ? 443 : 80)}` };
}

/** How many pages are registered where none may be. */
export function exposeRefusedPages(
  registry: Registry,
  views: Pick<Views, "entries">,
  isAllowed: (hostname: string) => boolean,
): void {
  new Gauge({
    name: "kvmgov_discovery_refused_pages",
    help: "Metrics pages that hosts registered outside discoveryNetworks: they are not listed for Prometheus",
    registers: [registry],
    collect() {
      let refused = 0;
      prometheusTargets(views.entries(), Date.now(), isAllowed, () => refused++);
      this.set(refused);
    },
  });
}
