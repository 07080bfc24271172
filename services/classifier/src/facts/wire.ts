/** A host's facts between memory and message: maps are lists there, and times are of another machine's clock. */
import type { GuestSeries, HostLine } from "@kvm-governor/console";
import type { GuestHistory } from "@kvm-governor/policy";
import type { z } from "zod";
import type { HostView, Tick } from "../views.ts";
import type { AnswerOf } from "./messages.ts";
import type { factsSchema, historySchema, lineSchema, seriesSchema } from "./schemas.ts";

export type WireFacts = z.output<typeof factsSchema>;
type WireHistory = z.output<typeof historySchema>;
type WireSeries = z.output<typeof seriesSchema>;
export type WireLine = z.output<typeof lineSchema>;

/** A host of another classifier, as the fleet's page and the list of hosts show it. */
export interface OtherLine extends HostLine {
  lastHeardMs: number;
}

/** Guests' histories by UUID, as far as they were asked for. */
export interface OtherHost {
  /** Without what the host announced: everybody hears that. */
  view: HostView;
  history: GuestHistory | undefined;
  series: GuestSeries | undefined;
  writes: ReadonlyMap<string, Pick<GuestHistory, "writes" | "wouldWrite" | "skipped">>;
}

export function wireFacts({ tick, applied, troubles, knownSinceMs }: HostView): object {
  if (tick === undefined) return { applied, troubles, knownSinceMs };
  // Counts of delays are for the metrics of whoever counts them.
  const { delays: _, ...shown } = tick;
  const wireTick = { ...shown, guests: [...tick.guests.values()], shortSince: [...tick.shortSince] };
  return { tick: wireTick, applied, troubles, knownSinceMs };
}

/** @param shiftMs what to add to times so that they are of our own clock */
export function hostOf({ facts, guest, writes }: AnswerOf<"host">, shiftMs: number): OtherHost | undefined {
  if (facts === undefined) return undefined;
  const byGuest = (writes ?? []).map(
    ({ uuid, ...own }) => [uuid, shiftHistory({ decisions: [], drift: [], ...own }, shiftMs)] as const,
  );
  return {
    view: viewOf(facts, shiftMs),
    history: guest && shiftHistory(guest.history, shiftMs),
    series: guest && shiftSeries(guest.series, shiftMs),
    writes: new Map(byGuest),
  };
}

export function lineOf({ row, alarms, lastHeardMs, id }: WireLine, shiftMs: number): OtherLine {
  return {
    id,
    row: { ...row, sampleAtMs: row.sampleAtMs === null ? null : row.sampleAtMs + shiftMs },
    alarms: alarms.map((alarm) => ({
      ...alarm,
      sinceMs: alarm.sinceMs === null ? null : alarm.sinceMs + shiftMs,
    })),
    lastHeardMs: lastHeardMs + shiftMs,
  };
}

function viewOf({ tick, applied, troubles, knownSinceMs }: WireFacts, shiftMs: number): HostView {
  const shifted = <T extends { atMs: number }>(entry: T): T => ({ ...entry, atMs: entry.atMs + shiftMs });
  const view: HostView = {};
  if (tick !== undefined) view.tick = tickOf(tick, shiftMs);
  if (applied !== undefined)
    view.applied = {
      ...applied,
      switchFired: applied.switchFired,
      receivedAtMs: applied.receivedAtMs + shiftMs,
    };
  if (troubles !== undefined)
    view.troubles = {
      ...(troubles.errors && { errors: shifted(troubles.errors) }),
      ...(troubles.drift && { drift: shifted(troubles.drift) }),
    };
  if (knownSinceMs !== undefined) view.knownSinceMs = knownSinceMs + shiftMs;
  return view;
}

function tickOf(tick: NonNullable<WireFacts["tick"]>, shiftMs: number): Tick {
  return {
    ...tick,
    sample: { ...tick.sample, pressure: tick.sample.pressure },
    guests: new Map(tick.guests.map((guest) => [guest.uuid, guest])),
    decidedAtMs: tick.decidedAtMs + shiftMs,
    delays: new Map(),
    shortSince: new Map(tick.shortSince.map(([uuid, sinceMs]) => [uuid, sinceMs + shiftMs])),
  };
}

function shiftHistory(history: WireHistory, shiftMs: number): GuestHistory {
  const shift = <T extends { atMs: number }>(entries: readonly T[]): T[] =>
    entries.map((entry) => ({ ...entry, atMs: entry.atMs + shiftMs }));
  return {
    decisions: shift(history.decisions),
    writes: shift(history.writes),
    drift: shift(history.drift),
    wouldWrite: history.wouldWrite,
    skipped: history.skipped && { ...history.skipped, atMs: history.skipped.atMs + shiftMs },
  };
}

function shiftSeries({ fine, coarse, isFollowed }: WireSeries, shiftMs: number): GuestSeries {
  const shift = (rows: WireSeries["fine"]): (number | null)[][] =>
    rows.map(([at, ...values]) => [(at ?? 0) + shiftMs, ...values]);
  return { fine: shift(fine), coarse: shift(coarse), isFollowed };
}
