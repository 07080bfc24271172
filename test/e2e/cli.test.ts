/** The commands that look, against a real `kvmgov up` with real KVM guests. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { startLibvirt } from "@kvm-governor/lab";
import type { Guest, Libvirt } from "@kvm-governor/lab";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";
import { UpProcess } from "../support/up-process.ts";

jest.setTimeout(120_000);

const main = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A guest may be called anything; a terminal must not be steered by it. */
const LIGHT = 'light "a/b" \u001b[31m';

describeWith(["root", "kvm", "cgroup-v1", "lab", "servers"], "kvmgov beside a running kvmgov up", () => {
  let libvirt: Libvirt;
  let busy: Guest;
  let light: Guest;
  let up: UpProcess;
  let dir: string;
  let url: string;
  let upDir: string;

  const kvmgov = (...args: string[]): Promise<Ended> =>
    new Promise((resolve, reject) => {
      const env = {
        ...process.env,
        KVMGOV_CLASSIFIER_URL: url,
        KVMGOV_LIBVIRT_RUN_DIR: path.join(libvirt.runDir, "qemu"),
      };
      const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
        env,
      });
      const ended: Ended = { code: null, stdout: "", stderr: "" };
      child.stdout.on("data", (chunk) => (ended.stdout += String(chunk)));
      child.stderr.on("data", (chunk) => (ended.stderr += String(chunk)));
      child.once("error", reject);
      child.once("close", (code) => resolve({ ...ended, code }));
    });
  const json = async (...args: string[]): Promise<never> => {
    const { stdout, stderr } = await kvmgov(...args, "--json");
    expect(stderr).toBe("");
    return JSON.parse(stdout) as never;
  };
  const start = async (args: readonly string[]): Promise<void> => {
    // With state of its own: else busy begins in the list that it had.
    upDir = mkdtempSync(path.join(dir, "up-"));
    up = new UpProcess({
      dir: upDir,
      libvirtRunDir: path.join(libvirt.runDir, "qemu"),
      args,
    });
    await up.line(/kvm-governor is up/);
    url = /http:\S+(?=\/metrics)/.exec(await up.line(/classifier +http/))?.[0] ?? "";
    await up.line(/classifier.*busy.*LIST_se to LIST_sc/);
  };

  beforeAll(async () => {
    dir = mkdtempSync(path.join(tmpdir(), `kvmgov-cli-${process.pid}-`));
    libvirt = await startLibvirt();
    busy = await libvirt.defineAndStart({
      name: "busy",
      cputune: { shares: 700, periodUs: 100_000, quotaUs: 40_000 },
    });
    light = await libvirt.defineAndStart({ name: "light" });
    busy.load.setLoad(100);
    light.load.setLoad(10);
    // Other guests may run on this machine: they are not ours to manage.
    const own = [busy, light].map(({ uuid }) => ({ match: { uuid }, class: "auto" }));
    writeFileSync(
      path.join(dir, "policy.yaml"),
      JSON.stringify({ rules: [...own, { match: { name: "*" }, class: "exempt" }] }),
    );
  });
  afterAll(async () => {
    up?.kill("SIGINT");
    await up?.ended();
    await libvirt?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const FAST = (): string[] => ["--period", "200", "--beta", "3", "--policy", path.join(dir, "policy.yaml")];

  test("a dry run tells the exact writes and why, and writes none", async () => {
    await start([...FAST(), "--dry-run"]);
    const found = await waitFor("writes of the dry run", 10_000, async () => {
      const { stdout } = await kvmgov("plan", "--dry-run");
      return /dry run: [1-9]/.test(stdout) ? stdout : undefined;
    });
    expect(found).toMatch(/busy \(LIST_sc\):\n(.*\n)*? +vcpu 0 bandwidth: 40000\S* -> -1/);
    expect(found).toMatch(/because: LIST_se to LIST_sc: used 0\.\d\d of its vCPUs and wanted/);
    const { hosts } = (await json("plan", "--dry-run")) as {
      hosts: { dryRun: boolean; guests: { name: string; wouldWrite: unknown[] }[] }[];
    };
    expect(hosts[0]?.dryRun).toBe(true);
    expect(hosts[0]?.guests.find(({ name }) => name === "busy")?.wouldWrite).not.toEqual([]);
    expect((await kvmgov("explain", busy.uuid)).stdout).toMatch(/Dry run, it would write:/);
    await up.stop();
  });

  test("lists, explain, plan and top tell what was done, and why", async () => {
    await start(FAST());
    await up.line(/actuator.*busy.*quota.*-> none/);
    const lists = (await kvmgov("lists")).stdout;
    expect(lists).toMatch(/LIST_se +light/);
    expect(lists).toMatch(new RegExp(`LIST_sc +busy .* auto +${busy.uuid}`));

    const words = await waitFor("the applied report", 10_000, async () => {
      const { stdout } = await kvmgov("explain", busy.uuid);
      return stdout.includes("nothing since") ? undefined : stdout;
    });
    expect(words).toMatch(/It is in LIST_sc \(scientific, inferred from its use\) for .* s, since 20/);
    expect(words).toMatch(/because: LIST_se to LIST_sc: used 0\.\d\d of its vCPUs and wanted/);
    expect(words).toMatch(/vcpu 0 bandwidth: 40000\S* -> -1/);
    expect(words).toMatch(/moved from LIST_se to LIST_sc \(ran \d+%, wanted \d+%\)/);
    expect(words).toMatch(/first seen, in LIST_se/);

    const { guests } = (await json("top", "--interval", "1")) as {
      guests: { uuid: string; cores: number; switchesPerSecond: number }[];
    };
    const rows = new Map(guests.map((row) => [row.uuid, row]));
    // Other tests may load this machine: only that it is measured, and that the busy one gets more.
    const [mine, other] = [rows.get(busy.uuid)?.cores ?? 0, rows.get(light.uuid)?.cores ?? 1];
    expect(mine).toBeGreaterThan(other);
    expect(other).toBeGreaterThan(0);
    expect(rows.get(light.uuid)?.switchesPerSecond).toBeGreaterThan(0);
    expect((await kvmgov("top", "--interval", "0.2")).stdout).toMatch(
      /GUEST +LIST +COUNT(.*\n)+busy +LIST_sc/,
    );

    expect((await kvmgov("plan")).stdout).toMatch(/busy \(LIST_sc\): bandwidth/);
    expect((await kvmgov("plan", "--dry-run")).stdout).toMatch(
      /in force: \d+ values .* nothing is left to write/,
    );
  });

  test("restore and resume tell programs what came of it, by the actuator that runs", async () => {
    const stateDir = path.join(upDir, "state");
    const restored = await json("restore", "--guest", busy.uuid, "--state-dir", stateDir);
    expect(restored).toEqual({ restored: true, by: "actuator", guests: ["busy"], stateDir });
    const resumed = { resumed: true, guest: busy.uuid, stateDir };
    expect(await json("resume", "--guest", busy.uuid, "--state-dir", stateDir)).toEqual(resumed);
    expect(await json("resume", "--state-dir", stateDir)).toEqual({
      resumed: false,
      guest: null,
      stateDir,
    });
    const { stdout } = await kvmgov("audit", "--guest", busy.uuid, "--state-dir", stateDir, "--json");
    const records = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { guest: string });
    expect(records.length).toBeGreaterThan(0);
    expect(new Set(records.map(({ guest }) => guest))).toEqual(new Set([busy.uuid]));
  });

  test("doctor finds guests and the classifier", async () => {
    const { ok, checks } = (await json("doctor")) as {
      ok: boolean;
      checks: { name: string; status: string; reason: string }[];
    };
    const of = (name: string): string | undefined => checks.find((check) => check.name === name)?.reason;
    expect(of("libvirt")).toMatch(/is readable: 2 guests run/);
    expect(of("classifier")).toMatch(/it knows 1 host/);
    expect(ok).toBe(true);
  });

  test("what cannot be had is said in one line that tells what to do", async () => {
    const unknown = await kvmgov("explain", "nobody");
    expect(unknown).toMatchObject({ code: 1, stdout: "" });
    expect(unknown.stderr).toMatch(/^kvmgov: no guest nobody .*kvmgov lists.*\n$/);
    expect((await kvmgov("lists", "--host", "elsewhere")).stderr).toMatch(/no host elsewhere: there are /);
    expect((await kvmgov("lists", "--url", "http://127.0.0.1:9")).stderr).toMatch(
      /no classifier answers .*npm start/,
    );
    expect((await kvmgov("explain", LIGHT)).stderr).not.toContain("\u001b");
  });
});
