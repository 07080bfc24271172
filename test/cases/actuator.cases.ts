/**
 * What every host must show, whatever its control groups: plans reach the kernel, survive what others do to it, and are taken
 * back to the byte. The same list runs on cgroup v1 and v2.
 */
import { afterAll, beforeAll, describe, test } from "@jest/globals";
import { applyingCases } from "./applying.cases.ts";
import type { CaseHost } from "./case-host.ts";
import { collectorCases } from "./collector.cases.ts";
import { Stage, type It } from "./stage.ts";
import { rebootCases, undoingCases } from "./undoing.cases.ts";
import { unitCases } from "./unit.cases.ts";

const START_MS = 600_000;
/** Jest wants a limit before the host can say how slow it is: this one is for a host that says nothing any more. */
const LAST_RESORT_MS = 4 * 3_600_000;

/** What a kind of host cannot be asked for, and why. */
export interface Lacks {
  systemd?: string;
  reboot?: string;
}

export interface CaseOptions {
  lacks?: Lacks;
  /** How long the host may take to start, in milliseconds. */
  startMs?: number;
}

/** Tests of one host, which is started before the first and stopped after the last. */
export function actuatorCases(
  name: string,
  startHost: () => Promise<CaseHost>,
  { lacks = {}, startMs = START_MS }: CaseOptions = {},
): void {
  describe(name, () => {
    let stage: Stage;

    beforeAll(async () => {
      stage = await Stage.start(await startHost());
    }, startMs);

    afterAll(async () => {
      await stage?.stop();
    }, START_MS);

    const it: It = (what, body, lack) => {
      if (lack === undefined) test(what, () => limited(body(stage), stage.host.caseMs), LAST_RESORT_MS);
      else test.skip(`${what} — skipped: ${lack}`, () => body(stage));
    };
    applyingCases(it, lacks.systemd);
    undoingCases(it);
    collectorCases(it);
    unitCases(it, lacks.systemd);
    // Last: nothing of what ran before is there after it.
    rebootCases(it, lacks.reboot);
  });
}

/** @throws {Error} it is not done in time; what it waits for ends with the host */
async function limited(body: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${Math.round(ms / 1000)} s on this host`)), ms);
  });
  try {
    await Promise.race([body, late]);
  } finally {
    clearTimeout(timer);
  }
}
