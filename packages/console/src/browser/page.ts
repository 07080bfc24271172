/** What all pages have: where one is, the state of the connection, figures at the head, alarms. */
import { clock, sinceText, timeText } from "./clock.ts";
import { arrange, byId, el, isolated, setAttribute, setHidden, setText, severityBadge } from "./dom.ts";
import { Live } from "./live.ts";
import type { Connection } from "./live.ts";
import type { AlarmRow, Model, Patch } from "../model/model.ts";

/** When the newest sample was taken, and after how long the next one is missed. */
export interface Freshness {
  sampleAtMs: number | null;
  staleAfterMs: number;
}

export interface PageOptions {
  url: string;
  render: (model: Model, patch: Patch | undefined) => void;
  /** Undefined: the page has no host of its own. */
  freshness: () => Freshness | undefined;
  /** Each second, for ages. */
  tick?: () => void;
}

const TICK_MS = 1000;

export function startPage({ url, render, freshness, tick }: PageOptions): void {
  let connection: Connection = { state: "connecting" };
  const showState = (): void => showStatus(connection, freshness());
  new Live({
    url,
    changed: (model, patch) => {
      render(model, patch);
      showState();
    },
    connection: (now) => {
      connection = now;
      showState();
    },
  });
  setInterval(() => {
    showState();
    tick?.();
  }, TICK_MS);
}

/** Says plainly when what is shown is old, and since when. */
function showStatus(connection: Connection, freshness: Freshness | undefined): void {
  const status = byId("status");
  const banner = byId("banner");
  if (connection.state === "lost") {
    const since = timeText(connection.sinceMs);
    setAttribute(status, "data-state", "lost");
    setText(status, "✖ Not connected");
    const why = connection.why === "" ? "" : `: ${connection.why}`;
    setText(banner, `No connection since ${since}${why}. What is shown is from then; trying again.`);
    setHidden(banner, false);
    return;
  }
  const sampleAtMs = freshness?.sampleAtMs ?? null;
  const isOld = sampleAtMs !== null && clock() - sampleAtMs > (freshness?.staleAfterMs ?? Infinity);
  if (connection.state === "live" && isOld) {
    setAttribute(status, "data-state", "old");
    setText(status, "▲ No sample");
    setText(banner, `No sample since ${timeText(sampleAtMs)}. What is shown is from then.`);
    setHidden(banner, false);
    return;
  }
  setHidden(banner, true);
  setAttribute(status, "data-state", connection.state === "live" ? "live" : "wait");
  setText(status, connection.state === "live" ? "● Live" : "Connecting …");
}

/** @param steps text and address of each; the last one is this page */
export function showCrumbs(steps: readonly (readonly [text: string, href: string])[]): void {
  const list = byId("crumbs");
  const last = steps.length - 1;
  const wanted = steps.map(([text]) => text).join("\n");
  if (list.dataset["shown"] === wanted) return;
  list.dataset["shown"] = wanted;
  list.replaceChildren(
    ...steps.map(([text, href], i) =>
      el("li", {}, [el("a", { href, ...(i === last && { "aria-current": "page" }) }, [isolated(text)])]),
    ),
  );
}

export function showTitle(text: string): void {
  setText(byId("title"), text);
  const title = `${text} · kvm-governor`;
  if (document.title !== title) document.title = title;
}

/** What is longer than this is text, and not set in the size of a figure. */
const FIGURE_MAX = 9;

/** Figures at the head, by what they are of. The elements stay; only texts change. */
export class Facts {
  readonly #values = new Map<string, HTMLElement>();
  readonly #list: HTMLElement;

  constructor(id: string) {
    this.#list = byId(id);
  }

  show(facts: readonly (readonly [name: string, value: string, detail?: string])[]): void {
    for (const [name, value, detail = ""] of facts) {
      let place = this.#values.get(name);
      if (place === undefined) {
        place = el("div", {}, [el("dt", { text: name }), el("dd"), el("dd", { class: "detail" })]);
        this.#values.set(name, place);
        this.#list.append(place);
      }
      const [shown, small] = place.querySelectorAll("dd");
      if (shown !== undefined) {
        setText(shown, value);
        shown.classList.toggle("is-text", value.length > FIGURE_MAX);
      }
      if (small !== undefined) {
        setText(small, detail);
        setHidden(small, detail === "");
      }
    }
  }
}

/** Alarms, the worst first. @param own host whose page this is: it is not named again */
export class Alarms {
  readonly #items = new Map<string, HTMLElement>();

  show(rows: Readonly<Record<string, AlarmRow>>, own = ""): void {
    const list = byId("alarms");
    for (const [key, item] of this.#items) {
      if (rows[key] !== undefined) continue;
      item.remove();
      this.#items.delete(key);
    }
    const order = Object.entries(rows).sort(([, a], [, b]) => RANKS[a.severity] - RANKS[b.severity]);
    for (const [key, row] of order) {
      const text = `${row.severity}\n${row.hostName}\n${row.guestName}\n${row.text}`;
      let item = this.#items.get(key);
      if (item?.dataset["shown"] !== text) {
        const fresh = alarmItem(row, own);
        fresh.dataset["shown"] = text;
        item?.replaceWith(fresh);
        item = fresh;
        this.#items.set(key, fresh);
      }
      const age = item.querySelector(".age");
      if (age !== null) setText(age, row.sinceMs === null ? "" : `for ${sinceText(row.sinceMs)}`);
    }
    arrange(
      list,
      order.flatMap(([key]) => this.#items.get(key) ?? []),
    );
    setHidden(byId("alarms-part"), order.length === 0);
  }
}

const RANKS = { critical: 0, warning: 1, info: 2 } as const;

function alarmItem({ severity, host, hostName, guest, guestName, text }: AlarmRow, own: string): HTMLElement {
  const where: (Node | string)[] = [];
  if (host !== own && host !== "")
    where.push(el("a", { href: `/console/host/${host}` }, [isolated(hostName)]), " ");
  else if (host === "") where.push(`${hostName} `);
  if (guest !== "")
    where.push(el("a", { href: `/console/host/${host}/guest/${guest}` }, [isolated(guestName)]), " ");
  return el("li", { class: `alarm is-${severity}` }, [
    severityBadge(severity),
    el("span", { class: "text" }, [...where, text]),
    el("span", { class: "age" }),
  ]);
}

/** Ids in this page's own address: `/console/host/HOST/guest/UUID`. */
export function idsOfPage(): { host: string; uuid: string } {
  const [, , , host = "", , uuid = ""] = location.pathname.split("/");
  return { host, uuid };
}
