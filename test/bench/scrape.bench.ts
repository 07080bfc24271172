/**
 * What a scrape costs: pages of 100 to 25,000 vCPUs, and the whole collector beside Debian's libvirt exporter on the same quiet guests.
 * Up to 1,000 vCPUs are real threads; more are a recorded snapshot of these, which each row says. `--only pages` or `--only peers`
 * leaves the other half out.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startThreadFarm } from "../support/thread-farm.ts";
import { groupEach, type BenchGroups } from "./bench-groups.ts";
import { threadsFor } from "./farm-guests.ts";
import { atLeast, below, runBench, type Aim, type Arm, type Lookup } from "./harness.ts";
import { PeerArm } from "./peer-arm.ts";
import type { Snapshot } from "./recorded-guests.ts";
import { TargetArm } from "./target-arm.ts";

const REAL = [100, 400, 1000];
const RECORDED = [5000, 25_000];
const LARGEST = 1000;
/** Every thread wakes between two scrapes. */
const WAKE_MS = 400;
const PEER_GUESTS = [4, 40];
const PEER_ROUNDS = 5;

const only = process.argv.includes("--only") ? process.argv[process.argv.indexOf("--only") + 1] : undefined;
if (only !== undefined && only !== "pages" && only !== "peers")
  throw new Error(`--only takes pages or peers, not ${only}`);

function pageAims(figure: Lookup): Aim[] {
  const median = (arm: string, name: string): number => figure(arm, name).median;
  const [real, recorded] = ["1000 vCPUs, real threads", "25000 vCPUs, recorded"];
  return [
    below("scrape of 1,000 vCPUs, wall ms", 10, median(real, "wall_ms")),
    below("the same without gzip, wall ms", 10, median(real, "plain_wall_ms")),
    atLeast("series of the page of 25,000 vCPUs", 250_001, median(recorded, "series")),
    below("scrape of 25,000 vCPUs, wall ms", 250, median(recorded, "wall_ms")),
    below("the same without gzip, wall ms", 250, median(recorded, "plain_wall_ms")),
    below("event-loop delay in a scrape of 25,000 vCPUs, ms", 50, median(recorded, "loop_delay_ms")),
    below("the same without gzip, ms", 50, median(recorded, "plain_loop_delay_ms")),
  ];
}

/** The sampling between scrapes counts: the collector's CPU of a whole interval against the peer's of its scrape alone. */
function peerAims(figure: Lookup): Aim[] {
  const times = (arm: string, theirs: string, ours: string): number =>
    figure(arm, theirs).median / figure(arm, ours).median;
  return PEER_GUESTS.flatMap((guests) => {
    const arm = `${guests} guests`;
    const limit = guests === 40 ? 20 : 1;
    return [
      atLeast(
        `${arm}: wall, exporter over collector`,
        limit,
        times(arm, "exporter_wall_ms", "collector_wall_ms"),
      ),
      atLeast(
        `${arm}: CPU, exporter and libvirtd in a scrape over collector in a whole interval`,
        limit,
        times(arm, "exporter_scrape_cpu_ms", "collector_interval_cpu_ms"),
      ),
    ];
  });
}

const dir = mkdtempSync(join(tmpdir(), "kvmgov-bench-"));
const farm = await startThreadFarm({ threads: threadsFor(LARGEST), wakeMs: WAKE_MS });
let groups: BenchGroups | undefined;
let snapshot: Snapshot | undefined;
const real = REAL.map(
  (vcpus) =>
    new TargetArm(`${vcpus} vCPUs, real threads`, () => ({
      kind: "real",
      vcpus,
      largest: LARGEST,
      farm: { pid: farm.pid, tids: farm.tids },
    })),
);
const largest = real[real.length - 1] as TargetArm;
const recorded = RECORDED.map(
  (vcpus) =>
    new TargetArm(`${vcpus} vCPUs, recorded`, () => ({
      kind: "recorded",
      vcpus,
      snapshot: snapshot as Snapshot,
    })),
);
/** Recorded when the real threads' own set-up is done, before that of the rows that replay it. */
const recorder: Arm = {
  name: "recording",
  setUp: async () => void (snapshot = await largest.ask<Snapshot>("record")),
  measure: () => ({ vcpus: snapshot?.vcpus.length ?? 0 }),
};
const pages: Arm[] = only === "peers" ? [] : [...real, recorder, ...recorded];
const peers: Arm[] =
  only === "pages" ? [] : PEER_GUESTS.map((guests) => new PeerArm(guests, PEER_ROUNDS, dir));
try {
  groups = groupEach(farm.tids.slice(0, LARGEST));
  await runBench({
    name: "scrape",
    rounds: 12,
    arms: [...pages, ...peers],
    aims: (figure) => [
      ...(pages.length === 0 ? [] : pageAims(figure)),
      ...(peers.length === 0 ? [] : peerAims(figure)),
    ],
  });
} finally {
  await farm.stop();
  groups?.remove();
  rmSync(dir, { recursive: true, force: true });
}
