/** Read-only JSON over HTTP, for the command line and a console. Shapes: docs/api.md. */
import { guestUuid, hostId } from "@kvm-governor/policy";
import type { GuestPlan, GuestState, HostState } from "@kvm-governor/policy";
import type { PagesOptions } from "@kvm-governor/service-kit";
import { prometheusTargets } from "./discovery.ts";
import type { Wanted } from "./facts/others.ts";
import type { FleetFacts, HostHead, Remembered } from "./fleet-facts.ts";
import type { HostIds } from "./host-ids.ts";
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

export interface ApiSources {
  store: Store;
  /** What this classifier has in memory. */
  views: Views;
  /** What all have. */
  facts: FleetFacts;
  hostIds: Pick<HostIds, "of">;
  /** Whether a host may register a page at this host name or address. */
  isPageAllowed: (hostname: string) => boolean;
}

export function addApi(app: App, sources: ApiSources): void {
  const { views, isPageAllowed } = sources;
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
  get("/api/v1/hosts", () => hostsPage(sources));
  get("/api/v1/hosts/:host", async ({ host }) => hostPage(await readHost(host, sources), sources.hostIds));
  get("/api/v1/hosts/:host/guests/:uuid", async ({ host, uuid }) => {
    const guest = parsed(guestUuid, uuid, "guest");
    return guestPage(await readHost(host, sources, { guest }), guest);
  });
  get("/api/v1/hosts/:host/writes", async ({ host }) =>
    writesPage(await readHost(host, sources, { writes: true })),
  );
  get("/api/v1/guests/:guest", ({ guest = "" }) => guestsPage(guest, sources));
}

/** @throws {ApiError} it is none */
function parsed(schema: typeof hostId, text: string | undefined, what: string): string {
  const result = schema.safeParse(text);
  if (result.success) return result.data;
  throw new ApiError(400, `${what} ${JSON.stringify(text)}: ${result.error.issues[0]?.message}`);
}

async function hostsPage({ store, views, facts, hostIds }: ApiSources): Promise<object> {
  const [stored, { value: heads, missing }] = await Promise.all([store.hosts(), facts.hosts()]);
  const ids = [...new Set([...stored, ...heads.keys()])].sort();
  const hosts = ids.map(async (id) => ({
    ...hostSummary(id, await store.lists(id), views.get(id), heads.get(id)),
    idConflict: hostIds.of(id) ?? null,
  }));
  return { hosts: await Promise.all(hosts), missing };
}

function hostSummary(
  id: string,
  lists: HostLists,
  view: HostView | undefined,
  head: HostHead | undefined,
): object {
  const announced = view?.announced?.host;
  return {
    id,
    name: announced?.name ?? null,
    lastHeardMs: head?.lastHeardMs ?? null,
    generation: head?.generation ?? null,
    guestCounts: { service: lists.service.length, scientific: lists.scientific.length },
    metrics: announced?.metrics ?? {},
  };
}

interface HostData extends Remembered {
  id: string;
  stored: StoredHost;
  lists: HostLists;
}

async function readHost(
  id: string | undefined,
  { store, facts }: Pick<ApiSources, "store" | "facts">,
  wanted: Wanted = {},
): Promise<HostData> {
  const host = parsed(hostId, id, "host id");
  const [stored, lists, remembered] = await Promise.all([
    store.read(host),
    store.lists(host),
    facts.host(host, wanted),
  ]);
  const { view, missing } = remembered;
  if (stored.version === 0 && stored.problem === undefined && view === undefined)
    throw notFound(`no host ${host}`, missing);
  return { id: host, stored, lists, ...remembered };
}

/** Where not everybody was heard, nobody can say that there is none. */
function notFound(what: string, missing: readonly string[]): ApiError {
  return missing.length === 0
    ? new ApiError(404, what)
    : new ApiError(503, `${what}, as far as is known: ${missing.join("; ")}`);
}

function hostPage({ id, stored, lists, view, missing }: HostData, ids: ApiSources["hostIds"]): object {
  const head = view && { lastHeardMs: lastHeardMs(view), generation: view.tick?.plan.generation ?? null };
  return {
    ...hostSummary(id, lists, view, head),
    idConflict: ids.of(id) ?? null,
    lists,
    guests: Object.entries(stored.state?.guests ?? {}).map(([uuid, guest]) =>
      storedGuest(uuid, guest, stored.state),
    ),
    storeProblem: stored.problem?.message ?? null,
    decidedAtMs: view?.tick?.decidedAtMs ?? null,
    knownSinceMs: view?.knownSinceMs ?? null,
    sample: view?.tick?.sample ?? null,
    report: view?.tick?.report ?? null,
    plan: planOf(stored.state, view) ?? null,
    applied: view?.applied ?? null,
    announced: view?.announced?.host ?? null,
    missing,
  };
}

function guestPage({ id, stored, view, historyOf, missing }: HostData, uuid: string): object {
  const guest = stored.state?.guests[uuid];
  const report = guestReport(view?.tick, uuid);
  if (guest === undefined && report === undefined) throw notFound(`host ${id} has no guest ${uuid}`, missing);
  return {
    host: id,
    ...(guest === undefined
      ? { uuid, name: report?.name, class: report?.class }
      : storedGuest(uuid, guest, stored.state)),
    report: report ?? null,
    plan: planOf(stored.state, view)?.guests.find((plan: GuestPlan) => plan.uuid === uuid) ?? null,
    history: historyOf(uuid),
    knownSinceMs: view?.knownSinceMs ?? null,
    missing,
  };
}

/** What the actuator of a host wrote, or in a dry run would write, guest by guest of the present plan. */
function writesPage({ id, stored, view, historyOf, missing }: HostData): object {
  const plan = planOf(stored.state, view);
  return {
    host: id,
    generation: plan?.generation ?? null,
    applied: view?.applied ?? null,
    guests: (plan?.guests ?? []).map(({ uuid, name, class: kind, reasons }) => {
      const { writes, wouldWrite, skipped } = historyOf(uuid);
      return { uuid, name, class: kind, reasons, writes, wouldWrite, skipped };
    }),
    missing,
  };
}

/** Which hosts have a guest of this name or UUID, among those that were decided on lately. */
async function guestsPage(wanted: string, { facts }: ApiSources): Promise<object> {
  const { value, missing } = await facts.find(wanted);
  return { ...value, missing };
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
