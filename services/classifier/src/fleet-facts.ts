/** Any host of the fleet, whichever classifier works it off: from this one's memory, or from what another answers. For requests, which wait. */
import { staleAfterMs } from "@kvm-governor/console";
import type { GuestHistory } from "@kvm-governor/policy";
import { boundFound, findGuests } from "./facts/find.ts";
import type { Found } from "./facts/find.ts";
import type { Answer, Others, Wanted } from "./facts/others.ts";
import type { OtherHost } from "./facts/wire.ts";
import type { History } from "./history.ts";
import { lastHeardMs } from "./views.ts";
import type { HostView, Views } from "./views.ts";

export interface FleetFactsOptions {
  views: Views;
  history: Pick<History, "of">;
  others: Pick<Others, "getHost" | "getFleet" | "find">;
  /** Wall clock, milliseconds. */
  now: () => number;
}

/** What is remembered of a host. */
export interface Remembered {
  view: HostView | undefined;
  /** Empty where nothing is, or where it was not asked for. */
  historyOf: (uuid: string) => GuestHistory;
  /** What could not be learnt from other classifiers, in words. */
  missing: readonly string[];
}

/** What the list of hosts tells of one. */
export interface HostHead {
  lastHeardMs: number;
  generation: number | null;
}

const NO_HISTORY: GuestHistory = { decisions: [], writes: [], drift: [], wouldWrite: [], skipped: null };

export class FleetFacts {
  readonly #options: FleetFactsOptions;

  constructor(options: FleetFactsOptions) {
    this.#options = options;
  }

  async host(id: string, wanted: Wanted = {}): Promise<Remembered> {
    const { views, history, others, now } = this.#options;
    const ownHistory = (uuid: string): GuestHistory => history.of(id, uuid);
    const answer = isCurrent(views.get(id), now()) ? undefined : await others.getHost(id, wanted);
    // Looked at only now: the host may have come here while another was asked.
    const own = views.get(id);
    const { value: other, missing = [] } = answer ?? {};
    if (isCurrent(own, now())) return { view: own, historyOf: ownHistory, missing: [] };
    if (other === undefined || !isLater(other.view, own))
      return { view: own, historyOf: ownHistory, missing };
    return { view: withAnnounced(other.view, own), historyOf: (uuid) => historyOf(other, uuid), missing };
  }

  async hosts(): Promise<Answer<ReadonlyMap<string, HostHead>>> {
    const { views, others } = this.#options;
    const { value: lines, missing } = await others.getFleet();
    const heads = new Map<string, HostHead>();
    for (const [id, { lastHeardMs, row }] of lines)
      heads.set(id, { lastHeardMs, generation: row.generation });
    for (const [id, view] of views.entries()) {
      const other = lines.get(id);
      const isOther = other !== undefined && (other.row.sampleAtMs ?? 0) > (view.tick?.decidedAtMs ?? -1);
      if (!isOther)
        heads.set(id, { lastHeardMs: lastHeardMs(view), generation: view.tick?.plan.generation ?? null });
    }
    return { value: heads, missing };
  }

  async find(guest: string): Promise<Answer<Found>> {
    const { views, others } = this.#options;
    const [own, { value: elsewhere, missing }] = [findGuests(guest, views), await others.find(guest)];
    const found = new Map(
      [...own.guests, ...elsewhere.guests].map((each) => [`${each.host}/${each.uuid}`, each]),
    );
    return { value: boundFound([...found.values()], own.more + elsewhere.more), missing };
  }
}

/** Whether this classifier works the host off, as far as its own memory tells: then nobody else is asked. */
export function isCurrent(view: HostView | undefined, nowMs: number): boolean {
  return view?.tick !== undefined && nowMs - view.tick.decidedAtMs <= staleAfterMs(view.tick);
}

/** Whether another's word on a host is later than our own. */
export function isLater(other: HostView, own: HostView | undefined): boolean {
  return (other.tick?.decidedAtMs ?? 0) > (own?.tick?.decidedAtMs ?? -1);
}

/** Announcements are heard by all, so answers are without them. */
export function withAnnounced(other: HostView, own: HostView | undefined): HostView {
  return own?.announced === undefined ? other : { ...other, announced: own.announced };
}

function historyOf({ history, writes }: OtherHost, uuid: string): GuestHistory {
  return history ?? { ...NO_HISTORY, ...writes.get(uuid) };
}
