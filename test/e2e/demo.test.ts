/** `kvmgov demo` as a user starts it: real KVM guests, real servers, real services; and what is left of it. */
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "@jest/globals";
import { isAlive } from "../support/machine-state.ts";
import { describeWith } from "../support/requirements.ts";

const main = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));
const RUN_MS_MAX = 180_000;

interface DemoJson {
  promotedAfterPeriods: number | null;
  demotedAfterPeriods: number | null;
  scientificShareOfIdle: number | null;
  webSlaRatio: number | null;
  contextSwitchesPerSecond: { before: number; after: number | null };
  sampleToReadBackMs: { p50: number | null; p99: number | null; n: number };
  restored: boolean;
  heldBefore: { promotedAfterPeriods: number | null; restored: boolean };
  off: { promotedAfterPeriods: null; webSlaRatio: number; restored: null };
  servicesWant: number;
  criteria: { what: string; met: boolean }[];
  notShown: string[];
}

/** One demo with a temporary directory of its own, and a mark in its environment that all its processes carry. */
class Demo {
  readonly tmp = mkdtempSync(path.join(tmpdir(), "demo-test-"));
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<number | null>;
  stdout = "";
  stderr = "";
  readonly #mark = `KVMGOV_DEMO_TEST=${randomUUID()}`;

  constructor(args: string[], env: NodeJS.ProcessEnv = {}) {
    const [name, value] = this.#mark.split("=");
    this.child = spawn(process.execPath, [main, "demo", ...args], {
      env: { ...process.env, ...env, TMPDIR: this.tmp, [name ?? ""]: value },
    });
    this.child.stdout.on("data", (chunk) => (this.stdout += String(chunk)));
    this.child.stderr.on("data", (chunk) => (this.stderr += String(chunk)));
    this.ended = new Promise((resolve) => this.child.once("close", (code) => resolve(code)));
  }

  /** Waits until it says something. */
  async says(text: string | RegExp): Promise<void> {
    const deadline = Date.now() + RUN_MS_MAX;
    while (this.stderr.search(text) < 0) {
      if (this.child.exitCode !== null || Date.now() > deadline)
        throw new Error(`never said ${text}:\n${this.stderr}`);
      await sleep(50);
    }
  }

  get json(): DemoJson {
    if (this.stdout === "") throw new Error(`no result; it said at last:\n${this.stderr.slice(-3000)}`);
    expect(this.stdout.trim().split("\n")).toHaveLength(1);
    return JSON.parse(this.stdout) as DemoJson;
  }

  /** Processes, control groups, mounts, sockets and files that are still there. */
  leftovers(): string[] {
    const groups = controllers().flatMap((dir) =>
      readdirSync(dir).filter((name) => name.startsWith(`kvmgov-lab-${this.child.pid}-`)),
    );
    const mounts = linesOf("/proc/self/mountinfo").filter((line) => line.includes(this.tmp));
    const sockets = linesOf("/proc/net/unix").filter((line) => line.includes(this.tmp));
    const files = readdirSync(this.tmp).filter((name) => name !== "node-compile-cache");
    return [...this.#processes(), ...groups, ...mounts, ...sockets, ...files];
  }

  async untilNothingIsLeft(): Promise<void> {
    const deadline = Date.now() + 20_000;
    while (this.leftovers().length > 0 && Date.now() < deadline) await sleep(100);
    expect(this.leftovers()).toEqual([]);
  }

  /** By control group (guests inherit no environment), by environment, and by directory (Redis overwrites it). */
  #processes(): string[] {
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isAlive(Number(name)));
    return pids.flatMap((pid) => {
      const isOurs =
        textOf(`/proc/${pid}/cgroup`).includes(`kvmgov-lab-${this.child.pid}-`) ||
        textOf(`/proc/${pid}/environ`).split("\0").includes(this.#mark) ||
        workingDirectory(pid).startsWith(this.tmp);
      return isOurs ? [`process ${pid}: ${textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ")}`] : [];
    });
  }
}

function workingDirectory(pid: string): string {
  return unlessClosed(() => readlinkSync(`/proc/${pid}/cwd`));
}

function controllers(): string[] {
  return linesOf("/proc/self/mountinfo").flatMap((line) => {
    const [mount, type] = line.split(" - ");
    return type?.startsWith("cgroup") === true ? [mount?.split(" ")[4] ?? ""] : [];
  });
}

function linesOf(file: string): string[] {
  return textOf(file).split("\n");
}

function textOf(file: string): string {
  return unlessClosed(() => readFileSync(file, "utf8"));
}

/** Empty where it is gone (processes come and go) or closed to us (process 1 of a machine may be). */
function unlessClosed(read: () => string): string {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES") return "";
    throw error;
  }
}

describeWith(["root", "kvm", "servers", "lab"], "kvmgov demo", () => {
  let demo: Demo;

  afterEach(async () => {
    demo.child.kill("SIGKILL");
    await demo.ended;
    await demo.untilNothingIsLeft();
    rmSync(demo.tmp, { recursive: true, force: true });
  });

  it(
    "shows what it promises, and leaves nothing behind",
    async () => {
      demo = new Demo(["--json", "--seconds", "24", "--seed", "7"]);
      const code = await demo.ended;
      const { json } = demo;
      expect(json.criteria.filter(({ met }) => !met)).toEqual([]);
      expect(code).toBe(0);
      expect(json.promotedAfterPeriods).toBeLessThanOrEqual(7);
      expect(json.demotedAfterPeriods).toBeLessThanOrEqual(7);
      expect(json.heldBefore.promotedAfterPeriods).toBeLessThanOrEqual(7);
      expect(json.scientificShareOfIdle).toBeGreaterThanOrEqual(0.9);
      expect(json.webSlaRatio).toBeGreaterThanOrEqual(0.95);
      expect(json.contextSwitchesPerSecond.before).toBeGreaterThan(0);
      expect(json.contextSwitchesPerSecond.after).toBeGreaterThan(0);
      expect(json.servicesWant).toBeGreaterThanOrEqual(0.4);
      expect(json).toMatchObject({ restored: true, heldBefore: { restored: true } });
      expect(json.off).toMatchObject({ promotedAfterPeriods: null, restored: null });
      // 24 s are 120 periods: too few for percentiles, and said so.
      expect(json.sampleToReadBackMs).toMatchObject({ p50: null, p99: null });
      expect(json.sampleToReadBackMs.n).toBeGreaterThan(90);
      expect(json.notShown).toEqual(
        json.criteria.flatMap(({ what }) => json.notShown.filter((name) => name === what)),
      );
      expect(demo.leftovers()).toEqual([]);
    },
    RUN_MS_MAX,
  );

  it(
    "reports what is missed when the classifier never moves a guest",
    async () => {
      demo = new Demo(["--json", "--seconds", "20"], { KVMGOV_BETA: "1000" });
      expect(await demo.ended).toBe(1);
      const { json } = demo;
      const missed = json.criteria.flatMap(({ what, met }) => (met ? [] : [what]));
      expect(missed).toEqual(
        expect.arrayContaining([
          "promotedAfterPeriods",
          "demotedAfterPeriods",
          "scientificShareOfIdle",
          "promotedFromQuota",
        ]),
      );
      expect(json).toMatchObject({ promotedAfterPeriods: null, demotedAfterPeriods: null, restored: true });
      expect(demo.stderr).toContain("NOT shown: promotedAfterPeriods");
    },
    RUN_MS_MAX,
  );

  it(
    "puts everything away after Ctrl-C",
    async () => {
      demo = new Demo(["--json", "--seconds", "20"]);
      await demo.says("1. Without kvm-governor");
      await sleep(2000);
      expect(demo.leftovers().length).toBeGreaterThan(3);
      demo.child.kill("SIGINT");
      expect(await demo.ended).toBe(130);
      expect(demo.stdout).toBe("");
      expect(demo.leftovers()).toEqual([]);
    },
    RUN_MS_MAX,
  );

  it(
    "leaves nothing behind when it is killed while the manager is at work",
    async () => {
      demo = new Demo(["--json", "--seconds", "20"]);
      await demo.says(/LIST_se to LIST_sc/);
      // The demo, three services, two servers, three guests: the look for them sees what there is.
      const processes = demo.leftovers().filter((line) => line.startsWith("process"));
      for (const program of [
        "collector",
        "classifier",
        "actuator",
        "nats-server",
        "redis-server",
        "guest=web",
      ]) {
        expect(processes).toContainEqual(expect.stringContaining(program));
      }
      demo.child.kill("SIGKILL");
      await demo.ended;
      await demo.untilNothingIsLeft();
    },
    RUN_MS_MAX,
  );

  it(
    "goes on with --watch until Ctrl-C, and the console shows why the scientific guest moved",
    async () => {
      demo = new Demo(["--watch", "--seconds", "20"]);
      const said = async (pattern: RegExp): Promise<string> => {
        const deadline = Date.now() + RUN_MS_MAX;
        for (;;) {
          const [, found] = pattern.exec(demo.stdout) ?? [];
          if (found !== undefined) return found;
          if (demo.child.exitCode !== null || Date.now() > deadline) throw new Error(`never said ${pattern}`);
          await sleep(50);
        }
      };
      const page = await said(/scientific {2}(http\S+)/);
      expect((await fetch(page)).status).toBe(200);
      await said(/(LIST_se to LIST_sc)/);
      const events = await fetch(`${page}/events`);
      let told = "";
      for await (const chunk of events.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        told += chunk;
        if (told.includes("moved from LIST_se to LIST_sc")) break;
      }
      await said(/(round 2)/);
      demo.child.kill("SIGINT");
      expect(await demo.ended).toBe(0);
      expect(demo.leftovers()).toEqual([]);
    },
    RUN_MS_MAX,
  );

  it(
    "says what is missing where it cannot run",
    async () => {
      demo = new Demo(["--seconds", "5"]);
      expect(await demo.ended).toBe(1);
      expect(demo.stderr).toContain("--seconds must be a whole number of at least 20");
    },
    RUN_MS_MAX,
  );
});
