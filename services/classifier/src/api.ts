/** Read-only JSON over HTTP, for the command line and a console. Shapes: docs/api.md. */
import { guestUuid, hostId } from "@kvm-governor/policy";
import type { GuestPlan, GuestState, HostState } from "@kvm-governor/policy";
import type { PagesOptions } from "@kvm-governor/service-kit";
import { prometheusTargets } from "./discovery.ts";
import type { History } from "./history.ts";
import { StoreUnavailableError } from "./store/store.ts";
import type { HostLists, Store, StoredHost } from "./store/store.ts";
import { guestReport, lastHeardMs } from "./views.ts";
import type { HostView, Views } from "./views.ts";

type App = Parameters<NonNullable<PagesOptions["routes"]>>[0];

/** An answer that is not the thing asked for. */
class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What this classifier has in memory. */
export interface Memory {
  views: Views;
  history: Pick<History, "of">;
  /** Whether a host may register a page at this host name or address. */
  isPageAllowed: (hostname: string) => boolean;
}

export function addApi(app: App, store: Store, { views, history, isPageAllowed }: Memory): void {
  const get = (path: string, answer: (parameters: Record<string, string>) => Promise<unknown>): void => {
    app.get(path, async (request, response) => {
      try {
        response.json(await answer(request.params as Record<string, string>));
      } catch (error) {
        if (error instanceof ApiError) response.status(error.status).json({ error: error.message });
        else if (error instanceof StoreUnavailableError) response.status(503).json({ error: error.message });
        else throw error;
      }
    });
  };
  get("/api/v1/prometheus/targets", async () =>
    prometheusTargets(views.entries(), Date.now(), isPageAllowed),
  );
  get("/api/v1/hosts", () => hostsPage(store, views));
  get("/api/v1/hosts/:host", async ({ host }) => hostPage(await readHost(host, store, views)));
  get("/api/v1/hosts/:host/guests/:uuid", async ({ host, uuid }) =>
    guestPage(await readHost(host, store, views), uuid, history),
  );
  get("/api/v1/hosts/:host/writes", async ({ host }) =>
    writesPage(await readHost(host, store, views), history),
  );
  get("/api/v1/guests/:guest", ({ guest = "" }) => Promise.resolve(guestsPage(guest, views)));
}

async function hostsPage(store: Store, views: Views): Promise<unknown> {
  const hosts = new Set([...(await store.hosts()), ...[...views.entries()].map(([host]) => host)]);
  return {
    hosts: await Promise.all(
      [...hosts].sort().map(async (host) => hostSummary(host, await store.lists(host), views.get(host))),
    ),
  };
}

function hostSummary(id: string, lists: HostLists, view: HostView | undefined): object {
  const announced = view?.announced?.host;
  return {
    id,
    name: announced?.name ?? null,
    lastHeardMs: view === undefined ? null : lastHeardMs(view),
    generation: view?.tick?.plan.generation ?? null,
    guestCounts: { service: lists.service.length, scientific: lists.scientific.length },
    metrics: announced?.metrics ?? {},
  };
}

interface HostData {
  id: string;
  stored: StoredHost;
  lists: HostLists;
  view: HostView | undefined;
}

async function readHost(id: string | undefined, store: Store, views: Views): Promise<HostData> {
  const parsed = hostId.safeParse(id);
  if (!parsed.success)
    throw new ApiError(400, `host id ${JSON.stringify(id)}: ${parsed.error.issues[0]?.message}`);
  const host = parsed.data;
  const [stored, lists] = await Promise.all([store.read(host), store.lists(host)]);
  const view = views.get(host);
  if (stored.version === 0 && stored.problem === undefined && view === undefined) {
    throw new ApiError(404, `no host ${host}`);
  }
  return { id: host, stored, lists, view };
}

function hostPage({ id, stored, lists, view }: HostData): object {
  return {
    ...hostSummary(id, lists, view),
    lists,
    guests: Object.entries(stored.state?.guests ?? {}).map(([uuid, guest]) =>
      storedGuest(uuid, guest, stored.state),
    ),
    storeProblem: stored.problem?.message ?? null,
    decidedAtMs: view?.tick?.decidedAtMs ?? null,
    sample: view?.tick?.sample ?? null,
    report: view?.tick?.report ?? null,
    plan: planOf(stored.state, view) ?? null,
    applied: view?.applied ?? null,
    announced: view?.announced?.host ?? null,
  };
}

function guestPage(
  { id, stored, view }: HostData,
  uuid: string | undefined,
  history: Memory["history"],
): object {
  const parsed = guestUuid.safeParse(uuid);
  if (!parsed.success)
    throw new ApiError(400, `guest ${JSON.stringify(uuid)}: ${parsed.error.issues[0]?.message}`);
  const guest = stored.state?.guests[parsed.data];
  const report = guestReport(view?.tick, parsed.data);
  if (guest === undefined && report === undefined)
    throw new ApiError(404, `host ${id} has no guest ${parsed.data}`);
  return {
    host: id,
    ...(guest === undefined
      ? { uuid: parsed.data, name: report?.name, class: report?.class }
      : storedGuest(parsed.data, guest, stored.state)),
    report: report ?? null,
    plan: planOf(stored.state, view)?.guests.find((plan: GuestPlan) => plan.uuid === parsed.data) ?? null,
    history: history.of(id, parsed.data),
  };
}

/** What the actuator of a host wrote, or in a dry run would write, guest by guest of the present plan. */
function writesPage({ id, stored, view }: HostData, history: Memory["history"]): object {
  const plan = planOf(stored.state, view);
  return {
    host: id,
    generation: plan?.generation ?? null,
    applied: view?.applied ?? null,
    guests: (plan?.guests ?? []).map(({ uuid, name, class: kind, reasons }) => {
      const { writes, wouldWrite, skipped } = history.of(id, uuid);
      return { uuid, name, class: kind, reasons, writes, wouldWrite, skipped };
    }),
  };
}

/** More guests of one name than this are not told: the answer says so by `more`. */
const FOUND_MAX = 100;

/** Which hosts have a guest of this name or UUID, among those that this classifier has heard of lately. */
function guestsPage(wanted: string, views: Views): object {
  const found: object[] = [];
  for (const [host, { report }] of views.currentTicks()) {
    for (const { uuid, name, class: kind } of report.guests) {
      if (name === wanted || uuid === wanted.toLowerCase()) found.push({ host, uuid, name, class: kind });
    }
  }
  return { guests: found.slice(0, FOUND_MAX), more: Math.max(0, found.length - FOUND_MAX) };
}

function storedGuest(uuid: string, guest: GuestState, host: HostState | undefined): object {
  const { name, class: kind, count, since, declared, usage } = guest;
  return { uuid, name, class: kind, count, since, sinceMs: wallClock(since, host), declared, usage };
}

/** A point of the host's boot clock by its wall clock; null where it is not of this boot. */
function wallClock(bootTimeUs: number, host: HostState | undefined): number | null {
  if (host === undefined || bootTimeUs > host.sequence) return null;
  return Math.round(host.wallTimeMs - (host.sequence - bootTimeUs) / 1000);
}

function planOf(state: HostState | undefined, view: HostView | undefined): HostState["plan"] {
  return state?.plan ?? view?.tick?.plan;
}
