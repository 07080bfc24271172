/** `kvmgov record` on a real bus beside a real classifier: what it stores replays to the lists that the classifier made. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it, jest } from "@jest/globals";
import type { Sample } from "@kvm-governor/policy";
import { guestSample, hostOf, sampleOf, uuidOf } from "../../services/classifier/src/testing/samples.ts";
import { replayAll } from "../../packages/cli/src/commands/replay.ts";
import { ControlPlane } from "../support/control-plane.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";

jest.setTimeout(120_000);

const HOST = "recorded";
const BETA = 3;
const main = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));

describeWith(["servers"], "kvmgov record", () => {
  let plane: ControlPlane;
  let dir: string;
  const recorders: ChildProcess[] = [];

  beforeAll(async () => {
    dir = mkdtempSync(path.join(tmpdir(), "kvmgov-record-test-"));
    plane = await ControlPlane.start();
    // Samples come in a bunch here: none may be dropped because the newest voids its plan.
    await plane.classifier({ KVMGOV_BETA: String(BETA), KVMGOV_PLAN_TTL_MS: "3600000" });
  }, 60_000);
  afterAll(async () => {
    for (const recorder of recorders) {
      if (recorder.exitCode !== null || recorder.signalCode !== null) continue;
      recorder.kill("SIGKILL");
      await once(recorder, "exit");
    }
    await plane.stop();
    rmSync(dir, { recursive: true });
  });

  /** A recorder on the bus, as soon as it listens. */
  async function start(to: string, ...args: string[]): Promise<{ child: ChildProcess; said: () => string }> {
    const env = {
      PATH: process.env["PATH"],
      KVMGOV_NATS_URL: plane.nats.url,
      KVMGOV_NATS_USER: plane.nats.user,
      KVMGOV_NATS_PASSWORD: plane.nats.password,
      KVMGOV_STATE_DIR: path.join(dir, "state"),
      KVMGOV_BETA: String(BETA),
    };
    const command = [
      "--disable-warning=ExperimentalWarning",
      main,
      "record",
      "--dir",
      path.join(dir, to),
      ...args,
    ];
    const child = spawn(process.execPath, command, { env });
    recorders.push(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => (output += String(chunk)));
    return { child, said: () => output };
  }

  /** From tick 20 on guest 1 works, guest 2 never does. */
  const sampleAt = (tick: number): Sample =>
    sampleOf(HOST, tick, [guestSample(1, { run: tick >= 20 ? 0.9 : 0.1 }), guestSample(2, { run: 0.1 })]);

  async function publish(from: number, to: number): Promise<void> {
    for (let tick = from; tick <= to; tick++) await plane.publish("sample", HOST, sampleAt(tick));
    await plane.committed(HOST, sampleAt(to).sequence);
  }

  function replayed(to: string): Record<string, unknown>[] {
    const lines: string[] = [];
    replayAll([path.join(dir, to)], { json: true }, (line) => lines.push(line));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }
  const samplesOf = (to: string): unknown => {
    const summary = replayed(to).find(({ event }) => event === "summary");
    return (summary?.["figures"] as Record<string, unknown> | undefined)?.["samples"];
  };
  const written = (to: string): boolean =>
    readable(() => readdirSync(path.join(dir, to)).some((name) => name.endsWith(".kvmrec")));

  it("stores what hosts send, and its replay makes the classifier's lists", async () => {
    const { child, said } = await start("whole", "--block", "1");
    await plane.publish("host", HOST, hostOf(HOST, [0, 0, 1, 1]));
    await publish(1, 19);
    await waitFor("a first block", 30_000, () => Promise.resolve(written("whole") ? true : undefined));
    await publish(20, 40);
    // Whatever arrived last is on its way for a moment.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    child.kill("SIGINT");
    const [code] = (await once(child, "close")) as [number | null];
    expect(said()).toMatch(
      /Recording host recorded in .*\n[\s\S]*Stopped\. \d+ samples of 1 hosts in 1 files/,
    );
    expect(code).toBe(0);
    const told = replayed("whole");
    const moves = told.filter(({ event }) => event === "moved");
    expect(moves).toEqual([
      expect.objectContaining({
        uuid: uuidOf(1),
        class: "scientific",
        atMs: sampleAt(20 + BETA).wallTimeMs,
      }),
    ]);
    expect(await plane.redis.smembers(`kvmgov:{${HOST}}:scientific`)).toEqual([uuidOf(1)]);
    expect(await plane.redis.hget(`kvmgov:{${HOST}}:guest:${uuidOf(1)}`, "since")).toBe(
      String(sampleAt(20 + BETA).sequence),
    );
    expect(told.filter(({ event }) => event === "problem")).toEqual([]);
    expect(told.at(-1)?.["figures"]).toMatchObject({ toMs: sampleAt(40).wallTimeMs });
  });

  it("killed with SIGKILL it loses what it had not written, and no more", async () => {
    const { child } = await start("killed", "--block", "1");
    await publish(41, 60);
    await waitFor("blocks", 30_000, () =>
      Promise.resolve(written("killed") && samplesOf("killed") !== undefined ? true : undefined),
    );
    await publish(61, 80);
    await waitFor("all of it", 15_000, () => {
      const last = (replayed("killed").at(-1)?.["figures"] as { toMs?: number } | undefined)?.toMs;
      return Promise.resolve(last === sampleAt(80).wallTimeMs ? true : undefined);
    });
    await publish(81, 85);
    child.kill("SIGKILL");
    await once(child, "close");
    const told = replayed("killed");
    expect(told.filter(({ event }) => event === "problem")).toEqual([
      expect.objectContaining({ kind: "torn", bytes: 0 }),
    ]);
    const figures = told.at(-1)?.["figures"] as { toMs: number } | undefined;
    expect(figures?.toMs).toBeGreaterThanOrEqual(sampleAt(80).wallTimeMs);
  });
});

function readable(look: () => boolean): boolean {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
