/** Random values of the contracts, for property tests. */
import fc from "fast-check";
import type { Declared, GuestSample, Sample } from "../contracts/sample.ts";
import type { Plan } from "../contracts/plan.ts";
import { settingsSchema } from "../settings.ts";
import type { Settings } from "../settings.ts";
import { Topology } from "../topology.ts";
import { machine } from "./topologies.ts";
import { BOOT, OTHER_BOOT, cpus, uuidOf } from "./hosts.ts";

/** An amount as collectors send it: six digits. */
const amount = (max: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: max * 1e6 }).map((value) => value / 1e6);

/** Idle, full, held back, contended, jittery: the cases that matter come often. */
const vcpuUse = fc.oneof(
  fc.constantFrom([0, 0], [1, 0], [0.25, 0.75], [0.3, 0.33], [0.7, 0], [0.95, 0], [1.01, 0.02]),
  fc.tuple(amount(1), amount(2)),
);

const name = fc.oneof(
  fc.constantFrom("web", 'a:b,c="d"\n', "sim-\u00e9\u{1f600}"),
  fc.string({ minLength: 1 }),
);

const declared: fc.Arbitrary<Declared> = fc.record(
  {
    class: fc.constantFrom("auto", "auto", "auto", "service", "scientific", "exempt"),
    slaCores: amount(6),
    slaDelay: fc.constantFrom(0.01, 0.1, 1),
    source: fc.constantFrom("metadata", "rule 3"),
  },
  { requiredKeys: ["class"] },
);

const cpuSubset = (max: number): fc.Arbitrary<number[]> =>
  fc
    .uniqueArray(fc.integer({ min: 0, max: max - 1 }), { minLength: 1 })
    .map((set) => set.toSorted((a, b) => a - b));

/** Part of a guest's memory on each of up to three nodes. */
export const memoryArbitrary: fc.Arbitrary<{ node: number; share: number }[]> = fc
  .tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }))
  .map(([a, b]) => [Math.min(a, b), Math.abs(a - b), 100 - Math.max(a, b)])
  .map((parts) => parts.map((part, node) => ({ node, share: part / 100 })));

/** How up to 16 CPUs lie; sometimes some of them are not known yet. */
export const topologyArbitrary: fc.Arbitrary<Topology> = fc
  .tuple(
    fc.constantFrom(
      machine({ packages: 2, coresPerLlc: 4, threads: 2 }),
      machine({ packages: 2, coresPerLlc: 8 }),
      machine({ packages: 1, nodesPerPackage: 2, llcsPerNode: 2, coresPerLlc: 2, threads: 2 }),
    ),
    fc.constantFrom(16, 16, 7),
  )
  .map(([cpus, known]) => new Topology(cpus.slice(0, known)));

/** The n-th guest with some use; unreadable states and pins now and then. */
export function guestSampleArbitrary(n: number): fc.Arbitrary<GuestSample> {
  return fc
    .record(
      {
        name,
        pid: fc.constantFrom(1000 + n, 1000 + n, 2000 + n),
        startTime: fc.constant(5000 + n),
        state: fc.constantFrom("running", "running", "running", "paused", "migrating", "unknown"),
        declared,
        exemptReason: fc.constantFrom("dedicated", "realtime", "cpu-pm"),
        incomplete: fc.boolean(),
        allowedCpus: cpuSubset(12),
        uses: fc.array(vcpuUse, { minLength: 1, maxLength: 5 }),
        vcpuPins: fc.array(fc.option(cpuSubset(12), { nil: undefined }), { maxLength: 5 }),
        memoryNodes: memoryArbitrary,
        otherRun: amount(1),
      },
      { requiredKeys: ["name", "pid", "startTime", "state", "declared", "uses", "otherRun"] },
    )
    .map(({ uses, vcpuPins = [], ...rest }) => ({
      uuid: uuidOf(n),
      ...rest,
      vcpus: uses.map(([run = 0, delay = 0], index) => {
        const allowedCpus = vcpuPins[index];
        return { index, run, delay, ...(allowedCpus !== undefined && { allowedCpus }) };
      }),
    }));
}

/** Some of six guests, each at most once. */
const guests: fc.Arbitrary<GuestSample[]> = fc
  .tuple(...[1, 2, 3, 4, 5, 6].map((n) => fc.option(guestSampleArbitrary(n), { freq: 3 })))
  .map((some) => some.filter((guest) => guest !== null));

const unreadable: fc.Arbitrary<Sample["unreadable"]> = fc
  .uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 2 })
  .map((ns) => ns.map((n) => ({ uuid: uuidOf(n), name: `guest-${n}`, reason: "no vCPU threads" })));

const nobody: typeof unreadable = fc.constant([]);

/** One sample; sequence and wall time of its own. */
export const sampleArbitrary: fc.Arbitrary<Sample> = fc.record(
  {
    schema: fc.constant(1 as const),
    host: fc.constant("h1"),
    bootId: fc.constantFrom(BOOT, BOOT, BOOT, OTHER_BOOT),
    sequence: fc.integer({ min: 0, max: 1e12 }),
    wallTimeMs: fc.integer({ min: 0, max: 2e12 }),
    periodMs: fc.constantFrom(200, 1000, 1003.5),
    cpus: fc.oneof(fc.constantFrom(cpus(2), cpus(4), cpus(8), cpus(16)), cpuSubset(16)),
    hostRun: amount(2),
    pressure: amount(1),
    guests,
    unreadable: fc.oneof({ weight: 3, arbitrary: nobody }, { weight: 1, arbitrary: unreadable }),
  },
  {
    requiredKeys: [
      "schema",
      "host",
      "bootId",
      "sequence",
      "wallTimeMs",
      "periodMs",
      "cpus",
      "hostRun",
      "guests",
      "unreadable",
    ],
  },
);

/** Samples of one host in order, a second apart; hosts keep their CPUs more often than not. */
export const samplesArbitrary: fc.Arbitrary<Sample[]> = fc
  .tuple(
    fc.constantFrom(2, 4, 8, 16),
    fc.boolean(),
    fc.array(sampleArbitrary, { minLength: 1, maxLength: 12 }),
  )
  .map(([count, steady, samples]) =>
    samples.map((sample, i) => ({
      ...sample,
      bootId: steady ? BOOT : sample.bootId,
      cpus: steady ? cpus(count) : sample.cpus,
      sequence: 60_000_000 + i * 1_000_000,
      wallTimeMs: 1_800_000_000_000 + i * 1000,
    })),
  );

export const settingsArbitrary: fc.Arbitrary<Settings> = fc
  .record({
    preset: fc.constantFrom("default" as const, "paper" as const),
    alpha: fc.constantFrom(0.2, 0.7, 1),
    beta: fc.constantFrom(0, 1, 5),
    signal: fc.constantFrom("run" as const, "demand" as const),
    serviceLimit: fc.constantFrom("none" as const, "sla" as const),
    reserveCores: fc.constantFrom(0, 0, 0.5, 3),
    inferredShareMax: fc.constantFrom(1, 1, 0.5, 0),
    minimumVcpuCores: fc.constantFrom(0.05, 0.0123456, 0.5),
    deadBandCores: fc.constantFrom(0, 0.05, 0.3),
  })
  .map((settings) => settingsSchema.parse(settings));

const vcpuPlan = fc.record({
  index: fc.integer({ min: 0, max: 300 }),
  bandwidth: fc.oneof(fc.constantFrom("baseline" as const, "unlimited" as const), amount(1)),
  cpus: fc.oneof(fc.constant("baseline" as const), cpuSubset(128)),
});

export const planArbitrary: fc.Arbitrary<Plan> = fc.record({
  schema: fc.constant(1 as const),
  host: fc.stringMatching(/^[A-Za-z0-9_-]{1,128}$/),
  bootId: fc.constant(BOOT),
  generation: fc.integer({ min: 1 }),
  sequence: fc.integer({ min: 0 }),
  expiresAtUs: fc.integer({ min: 0 }),
  preset: fc.constantFrom("default", "paper"),
  guests: fc.array(
    fc.record(
      {
        uuid: fc.integer({ min: 0, max: 1e6 }).map(uuidOf),
        name,
        pid: fc.integer({ min: 1 }),
        startTime: fc.integer({ min: 0 }),
        class: fc.constantFrom("service" as const, "scientific" as const),
        count: fc.integer({ min: 0 }),
        since: fc.integer({ min: 0 }),
        slaCores: amount(4),
        slaDelay: fc.constantFrom(0.01, 1),
        vcpus: fc.array(vcpuPlan, { minLength: 1, maxLength: 4 }),
        weight: fc.oneof(
          fc.constantFrom("baseline" as const, "idle" as const),
          fc.double({ min: 0.001, max: 1000, noNaN: true }),
        ),
        emulatorCpus: fc.oneof(fc.constant("baseline" as const), cpuSubset(8)),
        ioThreadCpus: fc.constant("baseline" as const),
        periodUs: fc.integer({ min: 1000, max: 1_000_000 }),
        reasons: fc.array(fc.record({ code: fc.string({ maxLength: 64 }), text: fc.string() }), {
          maxLength: 4,
        }),
      },
      {
        requiredKeys: [
          "uuid",
          "name",
          "pid",
          "startTime",
          "class",
          "count",
          "since",
          "vcpus",
          "weight",
          "emulatorCpus",
          "ioThreadCpus",
          "reasons",
        ],
      },
    ),
    { maxLength: 5 },
  ),
});
