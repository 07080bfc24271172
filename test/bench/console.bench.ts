/**
 * What the console costs the classifier: a decision's part without and with its course over time (50 guests), and, while
 * somebody looks, each second the fleet (1,000 hosts of 50 guests), a host (500 guests) and a guest, with the size of what is sent.
 */
import { decide, presetSettings } from "@kvm-governor/policy";
import type { Plan, Report, Sample } from "@kvm-governor/policy";
import { Topic } from "../../packages/console/src/live/topic.ts";
import { fleetModel } from "../../packages/console/src/model/fleet.ts";
import { guestModel } from "../../packages/console/src/model/guest.ts";
import { hostModel } from "../../packages/console/src/model/host.ts";
import type { Model } from "../../packages/console/src/model/model.ts";
import { ClassifierFacts } from "../../services/classifier/src/console-source.ts";
import { History } from "../../services/classifier/src/history.ts";
import { FINE, SeriesStore } from "../../services/classifier/src/series/series.ts";
import { guestSample, sampleOf, uuidOf } from "../../services/classifier/src/testing/samples.ts";
import { Views } from "../../services/classifier/src/views.ts";
import { below, runBench } from "./harness.ts";

const HOSTS = 1000;
const GUESTS = 50;
const MANY = 500;
const UPDATES = 20;
const DECISIONS = 500;

const settings = presetSettings("default");
let nowMs = 1_800_000_000_000;

interface Decided {
  sample: Sample;
  plan: Plan;
  report: Report;
}

/** Every tenth guest does something else than in the tick before. */
function decided(host: string, tick: number, guests: number): Decided {
  const of = (n: number): number => (n % 10 === 0 ? (tick % 7) / 10 : 0.25);
  const samples = Array.from({ length: guests }, (_, n) => guestSample(n, { run: of(n), vcpus: 4 }));
  const sample = sampleOf(host, tick, samples, { cpus: Array.from({ length: 64 }, (_, cpu) => cpu) });
  const decision = decide(undefined, sample, settings);
  if (decision.kind !== "decided") throw new Error("not decided");
  return { sample, plan: decision.plan, report: decision.report };
}

const NO_OTHERS = {
  fleet: () => new Map<string, never>(),
  host: () => ({ value: undefined, missing: [] }),
  isAskedFor: () => false,
  missing: () => [],
};

function memory(hosts: number, guests: number) {
  const views = new Views(() => nowMs);
  const series = new SeriesStore(() => nowMs, 2000);
  const source = new ClassifierFacts({
    views,
    series,
    history: new History(() => nowMs),
    others: NO_OTHERS,
    store: { hosts: () => Promise.resolve([]) },
    readiness: { parts: () => ({}) },
    settings: () => settings,
    now: () => nowMs,
    onError: (error) => {
      throw error;
    },
  });
  const add = ({ sample, plan, report }: Decided): void => {
    views.decided(sample, plan, report);
    series.decided(sample, plan, report);
  };
  // One decision stands for all hosts: what a page costs does not depend on who decided what.
  const tick = (n: number): void => {
    const { sample, plan, report } = decided("h0", n, guests);
    for (let host = 0; host < hosts; host++) add({ sample: { ...sample, host: `h${host}` }, plan, report });
  };
  return { source, tick };
}

/** Makes and compares a page's model once for each tick. */
function page(name: string, hosts: number, guests: number, make: (source: ClassifierFacts) => Model) {
  const { source, tick } = memory(hosts, guests);
  const topic = new Topic(() => nowMs);
  let ticks = 0;
  const next = (): void => {
    nowMs += 1000;
    tick(++ticks);
  };
  return {
    name,
    setUp: () => {
      // A guest's course is full.
      for (let i = 0; i < (hosts === 1 ? FINE.points : 2); i++) next();
      topic.update(make(source));
    },
    measure: () => {
      let ms = 0;
      let sent = 0;
      for (let i = 0; i < UPDATES; i++) {
        next();
        const before = topic.version;
        const from = performance.now();
        topic.update(make(source));
        sent += topic.since(before).length;
        ms += performance.now() - from;
      }
      return {
        update_ms: ms / UPDATES,
        update_kb: sent / UPDATES / 1000,
        whole_kb: topic.since(0).length / 1000,
      };
    },
  };
}

function decisions(name: string, guestsMax: number) {
  const views = new Views(() => nowMs);
  const series = new SeriesStore(() => nowMs, guestsMax);
  const ticks = [1, 2, 3, 4].map((tick) => decided("h0", tick, GUESTS));
  return {
    name,
    measure: () => {
      const from = performance.now();
      for (let i = 0; i < DECISIONS; i++) {
        nowMs += 1000;
        const { sample, plan, report } = ticks[i % ticks.length] ?? decided("h0", 1, GUESTS);
        views.decided(sample, plan, report);
        series.decided(sample, plan, report);
      }
      return { decision_us: ((performance.now() - from) * 1000) / DECISIONS };
    },
  };
}

await runBench({
  name: "console",
  rounds: 10,
  arms: [
    decisions("decision, courses off", 0),
    decisions("decision, courses on", 2000),
    page("fleet of 1,000 hosts", HOSTS, GUESTS, fleetModel),
    page("host with 500 guests", 1, MANY, (source) => hostModel("h0", source)),
    page("guest", 1, GUESTS, (source) => guestModel("h0", uuidOf(10), source)),
  ],
  aims: (result) => [
    below("update of a host with 500 guests, ms", 20, result("host with 500 guests", "update_ms").median),
    below("update of a fleet of 1,000 hosts, ms", 100, result("fleet of 1,000 hosts", "update_ms").median),
  ],
});
