/** Answers of a classifier for tests: shapes as captured from a real one, names and figures chosen. */
import type { GuestAnswer, HostAnswer } from "../api/answers.ts";

export const UUID = "00000000-0000-4000-8000-000000000001";
export const EXEMPT = "00000000-0000-4000-8000-000000000002";
export const NOW = 1_800_000_060_000;

const why = {
  code: "moved-to-scientific",
  text: "LIST_se to LIST_sc: used 0.40 of its vCPUs and wanted 1.00",
};
const held = {
  vcpus: [
    { index: 0, bandwidth: "unlimited" as const, cpus: [2] },
    { index: 1, bandwidth: "unlimited" as const, cpus: [3] },
  ],
  weight: "idle" as const,
  emulatorCpus: [0, 1],
  ioThreadCpus: "baseline" as const,
};
const reasons = [why, { code: "share", text: "share: 2.00 of the 3.20 cores that services leave" }];
const guestPlan = {
  uuid: UUID,
  name: "so\nlver",
  pid: 1,
  startTime: 1,
  class: "scientific" as const,
  count: 1,
  since: 5,
  ...held,
  reasons,
};
const report = {
  uuid: UUID,
  name: "so\nlver",
  class: "scientific" as const,
  readable: true,
  usage: 0.99,
  delay: 0.01,
  demand: 1,
  crossed: false,
  count: 1,
  entitlementCores: 2,
  reasons,
};
const exempt = {
  ...report,
  uuid: EXEMPT,
  name: "db",
  class: "exempt" as const,
  usage: 0.2,
  count: 0,
  reasons: [{ code: "exempt", text: "dedicated guest" }],
};

export const host: HostAnswer = {
  id: "h1",
  name: "node-1",
  lastHeardMs: NOW - 400,
  generation: 2,
  guestCounts: { service: 0, scientific: 1 },
  metrics: { collector: "http://127.0.0.1:9471" },
  guests: [
    {
      uuid: UUID,
      name: "so\nlver",
      class: "scientific",
      count: 1,
      sinceMs: NOW - 30_000,
      declared: "auto",
      usage: 0.99,
    },
  ],
  storeProblem: null,
  decidedAtMs: NOW - 400,
  sample: {
    periodMs: 1000,
    cpus: [0, 1, 2, 3],
    hostRunCores: 0.1,
    unreadable: [{ name: "broken", reason: "no vCPU threads" }],
  },
  report: {
    guests: [report, exempt],
    availableCores: 3.2,
    oversubscribed: false,
    slaScale: 1,
    changed: false,
    duplicates: [],
  },
  plan: {
    schema: 1,
    host: "h1",
    bootId: "0b5a7a0e-0001",
    generation: 2,
    sequence: 1,
    expiresAtUs: 2,
    preset: "default",
    guests: [guestPlan],
  },
  applied: {
    generation: 2,
    verified: 6,
    writes: 0,
    errors: 0,
    drift: 0,
    dryRun: false,
    receivedAtMs: NOW - 300,
  },
  announced: null,
};

const write = {
  target: "vcpu 0",
  setting: "bandwidth" as const,
  file: "cpu/x/cpu.cfs_quota_us",
  old: "40000",
  wanted: "-1",
};

export const guest: GuestAnswer = {
  host: "h1",
  uuid: UUID,
  name: "so\nlver",
  class: "scientific",
  count: 1,
  sinceMs: NOW - 30_000,
  declared: "auto",
  report,
  plan: guestPlan,
  history: {
    decisions: [
      {
        atMs: NOW - 30_000,
        generation: 2,
        kind: "moved",
        class: "scientific",
        movedFrom: "service",
        usage: 0.4,
        delay: 0.6,
        demand: 1,
        reasons,
        held,
      },
    ],
    writes: [{ ...write, readBack: "-1", atMs: NOW - 29_990, generation: 2, times: 1 }],
    drift: [],
    wouldWrite: [],
    skipped: null,
  },
};

export const failedWrite = {
  ...write,
  error: "EINVAL: invalid argument",
  atMs: NOW,
  generation: 2,
  times: 3,
};
export const pendingWrite = write;
