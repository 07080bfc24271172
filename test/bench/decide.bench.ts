/**
 * The pure decision: ticks a second at 50 guests x 4 vCPUs a host, one thread. Samples vary from tick to tick, guests
 * become busy and quiet, so that lists, entitlements and placement all move; state goes on from tick to tick.
 */
import { Topology, decide, presetSettings } from "@kvm-governor/policy";
import type { HostState, Sample, Settings } from "@kvm-governor/policy";
import { machine } from "../../packages/policy/src/testing/topologies.ts";
import { guestSample, sampleOf } from "../../services/classifier/src/testing/samples.ts";
import { atLeast, runBench } from "./harness.ts";

const GUESTS = 50;
const VCPUS = 4;
/** Fewer than vCPUs: shares are scarce, quotas and placement have work. */
const CPUS = 64;
/** Different samples, used in turn: enough that nothing is the same from tick to tick. */
const SAMPLES = 200;
const TICKS_PER_ROUND = 4000;
const AIM_TICKS_PER_S = 10_000;

/** Small generator with a fixed seed (mulberry32): every run sees the same load. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A fifth of the guests computes in phases of 25 ticks and rests between them, the others serve in bursts. */
function varyingSamples(): Sample[] {
  const random = randomNumbers(2026);
  const cpus = Array.from({ length: CPUS }, (_, cpu) => cpu);
  return Array.from({ length: SAMPLES }, (_, tick) => {
    const guests = Array.from({ length: GUESTS }, (_, n) => {
      const computes = n % 5 === 0 && Math.floor((tick + n * 3) / 25) % 2 === 0;
      const run = computes ? 0.9 + 0.1 * random() : 0.4 * random() ** 2;
      return guestSample(n, { run, delay: 0.05 * random(), vcpus: VCPUS, declared: declaredOf(n) });
    });
    return sampleOf("bench", tick, guests, { cpus, hostRun: random() });
  });
}

function declaredOf(n: number): Sample["guests"][number]["declared"] {
  return n % 3 === 0 ? { class: "auto" } : { class: "auto", slaCores: 1, source: "rule 1" };
}

/** Every fifth guest computes on CPUs of its own, three of them as vCPUs of an odd number that cannot have whole cores. */
function placedSamples(): Sample[] {
  const random = randomNumbers(2027);
  const cpus = Array.from({ length: CPUS }, (_, cpu) => cpu);
  return Array.from({ length: SAMPLES }, (_, tick) => {
    const guests = Array.from({ length: GUESTS }, (_, n) => {
      const computes = n % 5 === 0;
      const run = computes ? 1 : 0.2 * random();
      const declared: Sample["guests"][number]["declared"] = computes
        ? { class: "scientific", source: "rule 1" }
        : { class: "service", slaCores: 0.5, source: "rule 2" };
      const vcpus = n % 15 === 0 ? VCPUS - 1 : VCPUS;
      const memoryNodes = [0, 1].map((node) => ({ node, share: 0.5 }));
      return { ...guestSample(n, { run, vcpus, declared }), memoryNodes };
    });
    return sampleOf("bench", tick, guests, { cpus, hostRun: random() });
  });
}

interface Load {
  topology?: Topology;
  samples: Sample[];
  settings: Settings;
  state: HostState | undefined;
  tick: number;
}

/** One round; the state and the host's clock go on from the last one. */
function measure(load: Load): Record<string, number> {
  let changed = 0;
  let moved = 0;
  const cpuBefore = process.threadCpuUsage();
  const start = process.hrtime.bigint();
  for (let i = 0; i < TICKS_PER_ROUND; i++) {
    const sample = load.samples[load.tick % SAMPLES];
    if (sample === undefined) throw new RangeError(`no sample ${load.tick}`);
    sample.sequence = 60_000_000 + load.tick++ * 1_000_000;
    const decision = decide(load.state, sample, load.settings, load.topology);
    if (decision.kind !== "decided") throw new Error("a new sample was taken for an old one");
    load.state = decision.next;
    changed += Number(decision.report.changed);
    for (const guest of decision.report.guests) if (guest.movedFrom !== undefined) moved++;
  }
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const cpu = process.threadCpuUsage(cpuBefore);
  return {
    ticks_per_s: TICKS_PER_ROUND / seconds,
    // What it would be on a machine without other load.
    ticks_per_cpu_s: (TICKS_PER_ROUND * 1e6) / (cpu.user + cpu.system),
    us_per_tick: (seconds * 1e6) / TICKS_PER_ROUND,
    plans_changed_per_tick: changed / TICKS_PER_ROUND,
    guests_moved_per_tick: moved / TICKS_PER_ROUND,
  };
}

const samples = varyingSamples();
const presets = (["default", "paper"] as const).map((preset) => {
  const load: Load = { samples, settings: presetSettings(preset), state: undefined, tick: 0 };
  return { name: `preset ${preset}`, measure: () => measure(load) };
});
const placed: Load = {
  samples: placedSamples(),
  settings: presetSettings("default"),
  topology: new Topology(
    machine({ packages: 2, nodesPerPackage: 1, llcsPerNode: 2, coresPerLlc: 8, threads: 2 }),
  ),
  state: undefined,
  tick: 0,
};
const arms = [...presets, { name: "placed by topology", measure: () => measure(placed) }];

await runBench({
  name: "decide",
  rounds: 12,
  arms,
  aims: (result) =>
    arms.map(({ name }) =>
      atLeast(
        `ticks a second, ${GUESTS} guests x ${VCPUS} vCPUs, ${name}`,
        AIM_TICKS_PER_S,
        result(name, "ticks_per_s").median,
      ),
    ),
});
