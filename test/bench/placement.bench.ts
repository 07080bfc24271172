/**
 * Placement on a large host: 512 CPUs (two packages of four nodes of four caches of eight SMT cores), 500 guests, of
 * which 100 compute. `first`: nobody has CPUs yet. `steady`: everybody has, as in nearly every tick. `moves`: all were
 * placed without a topology, and each tick one may move. `pinned`: guests are pinned to nodes, every tenth has vCPUs that
 * are pinned apart. `decision`: all of decide() around it, from sample to plan.
 */
import { Topology, decide, presetSettings } from "@kvm-governor/policy";
import type { HostState } from "@kvm-governor/policy";
import { place } from "../../packages/policy/src/decide/place.ts";
import type { Ground, Placement, Tenant } from "../../packages/policy/src/decide/place.ts";
import { topologies, usableOf } from "../../packages/policy/src/testing/topologies.ts";
import { guestSample, sampleOf, uuidOf } from "../../services/classifier/src/testing/samples.ts";
import { below, runBench } from "./harness.ts";

const GUESTS = 500;
const AIM_MS = 20;
/** Each fifth guest computes: 20 of each of these sizes, 300 CPUs in all. */
const SIZES = [1, 2, 2, 4, 6];
const SERVICE_CORES = 0.4;

const cpuTopology = topologies["512 CPUs"];
const topology = new Topology(cpuTopology);
const cpus = usableOf(cpuTopology);
const ground: Ground = { cpus, reserveCores: 2, unmanagedCores: 1, mayBegin: true, topology };
const nodes = Array.from({ length: 8 }, (_, node) =>
  cpuTopology.filter((each) => each.node === node).map(({ cpu }) => cpu),
);

const isScientific = (n: number): boolean => n % 5 === 0;
const vcpusOf = (n: number): number => (isScientific(n) ? (SIZES[(n / 5) % SIZES.length] ?? 1) : 2);

function tenantsOf(pinned: boolean): Tenant[] {
  return Array.from({ length: GUESTS }, (_, n) => {
    const vcpus = vcpusOf(n);
    const pins = nodes[n % nodes.length] ?? [];
    const half = pins.slice(0, pins.length / 2);
    return {
      uuid: uuidOf(n),
      class: isScientific(n) ? "scientific" : "service",
      vcpus,
      assuredCores: isScientific(n) ? vcpus : SERVICE_CORES,
      memory: [{ node: n % nodes.length, share: 0.9 }],
      ...(pinned && { allowedCpus: pins }),
      ...(pinned &&
        n % 10 === 0 && { vcpuPins: Array.from({ length: vcpus }, (_v, i) => (i % 2 ? pins : half)) }),
    };
  });
}

const after = (tenants: readonly Tenant[], { exclusive }: Placement): Tenant[] =>
  tenants.map((tenant) => ({ ...tenant, before: exclusive.get(tenant.uuid) }));

function settled(tenants: Tenant[]): Tenant[] {
  let now = tenants;
  for (let moves = 0; moves < 2 * GUESTS; moves++) {
    const next = after(now, place(now, ground));
    if (JSON.stringify(next) === JSON.stringify(now)) return now;
    now = next;
  }
  throw new Error("placement does not come to rest");
}

const free = tenantsOf(false);
const pinned = tenantsOf(true);
const flat = after(free, place(free, { ...ground, topology: undefined }));
const cases = {
  first: free,
  steady: settled(free),
  moves: flat,
  "pinned first": pinned,
  "pinned steady": settled(pinned),
};

/** Time of the work; `cpu_ms` is what it would be on a machine without other load. */
function timed<T>(work: () => T): [result: T, times: { ms: number; cpu_ms: number }] {
  const cpuBefore = process.threadCpuUsage();
  const start = process.hrtime.bigint();
  const result = work();
  const ms = Number(process.hrtime.bigint() - start) / 1e6;
  const { user, system } = process.threadCpuUsage(cpuBefore);
  return [result, { ms, cpu_ms: (user + system) / 1000 }];
}

function measurePlacement(tenants: readonly Tenant[]): Record<string, number> {
  const [{ exclusive }, times] = timed(() => place(tenants, ground));
  return { ...times, guests_with_cpus_alone: exclusive.size };
}

const settings = presetSettings("default");
let state: HostState | undefined;
let tick = 0;

/** All of a decision, on a load that varies. */
function measureDecision(): Record<string, number> {
  const guests = Array.from({ length: GUESTS }, (_, n) => ({
    ...guestSample(n, {
      run: isScientific(n) ? 1 : ((n * 7 + tick * 13) % 50) / 100,
      vcpus: vcpusOf(n),
      declared: isScientific(n)
        ? { class: "scientific", source: "rule 1" }
        : { class: "service", slaCores: SERVICE_CORES, source: "rule 2" },
    }),
    otherRun: 0,
    memoryNodes: [{ node: n % nodes.length, share: 0.9 }],
  }));
  const sample = sampleOf("bench", tick++, guests, { cpus });
  const [decision, times] = timed(() => decide(state, sample, settings, topology));
  if (decision.kind !== "decided") throw new Error("a new sample was taken for an old one");
  state = decision.next;
  return { ...times, changed: Number(decision.report.changed) };
}

const arms = [
  ...Object.entries(cases).map(([name, tenants]) => ({ name, measure: () => measurePlacement(tenants) })),
  { name: "decision", measure: measureDecision },
];

await runBench({
  name: "placement",
  rounds: 60,
  warmUpRounds: 15,
  arms,
  aims: (result) =>
    arms.map(({ name }) =>
      below(`ms, 512 CPUs and ${GUESTS} guests, ${name}`, AIM_MS, result(name, "ms").median),
    ),
});
