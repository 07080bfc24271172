/** `kvmgov up` on real KVM guests: what it says, what it does, and that it takes everything back, however it ends. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import { startLibvirt } from "@kvm-governor/lab";
import type { Guest, Libvirt } from "@kvm-governor/lab";
import { differences, takeSnapshot } from "../../packages/cli/src/demo/control-snapshot.ts";
import { NO_CHANGES, changesSince, isAlive, machineState } from "../support/machine-state.ts";
import type { MachineState } from "../support/machine-state.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";
import { UpProcess } from "../support/up-process.ts";

jest.setTimeout(120_000);

/** Short periods, so that a move takes two seconds; the time to live is short, so that expiry does too. */
const FAST = ["--period", "200", "--beta", "3"];
const TTL = { KVMGOV_PLAN_TTL_MS: "2000" };

describeWith(["root", "kvm", "cgroup-v1", "lab", "servers"], "kvmgov up", () => {
  let machine: MachineState;
  let libvirt: Libvirt;
  let busy: Guest;
  let light: Guest;
  let dir: string;
  let found: ReturnType<typeof takeSnapshot>;
  const running: UpProcess[] = [];

  const snapshot = (): ReturnType<typeof takeSnapshot> =>
    takeSnapshot([busy, light].map(({ name, pid, vcpuTids }) => ({ name, pid, vcpuTids })));
  /** Other guests may run on this machine: they are not ours to manage. */
  const policyFile = (): string => {
    const file = path.join(dir, "policy.yaml");
    const own = [busy, light].map(({ uuid }) => ({ match: { uuid }, class: "auto" }));
    writeFileSync(file, JSON.stringify({ rules: [...own, { match: { name: "*" }, class: "exempt" }] }));
    return file;
  };
  const up = (args: readonly string[] = []): UpProcess => {
    const process = new UpProcess({
      dir,
      libvirtRunDir: path.join(libvirt.runDir, "qemu"),
      args: [...FAST, "--policy", policyFile(), ...args],
      env: TTL,
    });
    running.push(process);
    return process;
  };
  const moved = (process: UpProcess): Promise<string> => process.line(/classifier.*busy.*LIST_se to LIST_sc/);
  /** The guest is held: its first value differs from what was found. */
  const held = (): Promise<true> =>
    waitFor("busy is held", 10_000, () => differences(found, snapshot()).length > 0 || undefined);
  const restored = (): Promise<true> =>
    waitFor(
      `baseline again, still ${JSON.stringify(differences(found, snapshot()))}`,
      15_000,
      () => differences(found, snapshot()).length === 0 || undefined,
    );

  beforeAll(async () => {
    machine = machineState();
    libvirt = await startLibvirt();
    busy = await libvirt.defineAndStart({
      name: "busy",
      cputune: { shares: 700, periodUs: 100_000, quotaUs: 40_000 },
    });
    light = await libvirt.defineAndStart({ name: 'light "a:b,c=d"' });
    busy.load.setLoad(100);
    light.load.setLoad(10);
  });
  afterAll(async () => {
    await libvirt?.stop();
    expect(await changesSince(machine)).toEqual(NO_CHANGES);
  });
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), `kvmgov-up-${process.pid}-`));
    found = snapshot();
  });
  afterEach(async () => {
    for (const up of running.splice(0)) {
      const children = up.children();
      up.kill("SIGKILL");
      await up.ended();
      // One that a failed test left frozen does not notice.
      for (const { pid } of children) if (isAlive(pid)) process.kill(pid, "SIGCONT");
      // They still restore, and write what they did, into the directory that is removed below.
      await waitFor(
        "its services ended",
        20_000,
        () => children.every(({ pid }) => !isAlive(pid)) || undefined,
      );
    }
    await restored();
    rmSync(dir, { recursive: true, force: true });
  });

  test("finds, moves and holds a guest that a quota below alpha held, and takes it back at Ctrl-C", async () => {
    const process = up();
    await process.line(/kvm-governor is up/);
    await process.line(/collector.*busy/);
    await moved(process);
    await process.line(/actuator.*busy.*quota.*40000.* -> none/);
    await held();
    const url = /http:\S+(?=\/metrics)/.exec(await process.line(/classifier +http/))?.[0] ?? "";
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(new RegExp(`kvmgov_guest_scientific\\{[^}]*uuid="${busy.uuid}"[^}]*\\} 1`));
    expect(await process.stop()).toBe(0);
    expect(differences(found, snapshot())).toEqual([]);
    expect(process.lines.at(-1)).toMatch(/Every guest is as it was before/);
    expect(process.children()).toEqual([]);
  });

  test("tells Prometheus where the pages of this host are", async () => {
    const process = up();
    const url = /http:\S+(?=\/metrics)/.exec(await process.line(/classifier +http/))?.[0] ?? "";
    const pages = ["collector", "actuator"].map((name) =>
      process
        .line(new RegExp(`${name} +http`))
        .then((line) => new URL(line.slice(line.indexOf("http"))).host),
    );
    const expected = await Promise.all(pages);
    const found = await waitFor("both pages in service discovery", 20_000, async () => {
      const targets = await discovered(url);
      return targets.length === 2 ? targets : undefined;
    });
    expect(found).toEqual(expected);
    for (const target of found) {
      const page = await (await fetch(`http://${target}/metrics`)).text();
      expect(page).toMatch(/^kvmgov_build_info\{service="(collector|actuator)"/m);
    }
    expect(await process.stop()).toBe(0);
  });

  test("starts the servers unprivileged, on loopback, with credentials that nobody else can read", async () => {
    const process = up();
    await process.line(/kvm-governor is up/);
    for (const name of ["nats-server", "redis-server"]) {
      const server = process.children().find(({ command }) => command.includes(name));
      const status = readFileSync(`/proc/${server?.pid}/status`, "utf8");
      expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
      expect(status).toMatch(/^CapEff:\t0+$/m);
      // The manager comes before its guests: field 19 of stat is the nice value.
      expect(readFileSync(`/proc/${server?.pid}/stat`, "utf8").split(") ")[1]?.split(" ")[16]).toBe("-10");
      expect(server?.command).not.toMatch(/[0-9a-f]{40}/);
    }
    expect(process.lines.join("\n")).not.toMatch(/[0-9a-f]{48}/);
    expect(await process.stop()).toBe(0);
  });

  test("restores for an actuator that was killed, and starts a new one", async () => {
    const process = up();
    await moved(process);
    await held();
    const actuator = process.pidOf("actuator") ?? 0;
    globalThis.process.kill(actuator, "SIGKILL");
    await process.line(/guard.*busy.*baseline/);
    await waitFor("a new actuator", 10_000, () => {
      const pid = process.pidOf("actuator");
      return pid !== undefined && pid !== actuator ? pid : undefined;
    });
    await held();
    expect(await process.stop()).toBe(0);
  });

  test("restores for an actuator that is frozen past the plan's time to live", async () => {
    const process = up();
    await moved(process);
    await held();
    const actuator = process.pidOf("actuator") ?? 0;
    globalThis.process.kill(actuator, "SIGSTOP");
    await process.line(/actuator-frozen|frozen past/);
    await process.line(/guard.*busy.*baseline/);
    expect(isAlive(actuator)).toBe(false);
    await held();
    expect(await process.stop()).toBe(0);
  });

  test("takes everything back and ends all processes when it is killed itself", async () => {
    const process = up();
    await moved(process);
    await held();
    const children = process.children();
    expect(children.length).toBe(5);
    process.kill("SIGKILL");
    await restored();
    await waitFor(
      "all processes ended",
      10_000,
      () => children.every(({ pid }) => !isAlive(pid)) || undefined,
    );
  });

  test("goes back to the baseline when no plans come any more", async () => {
    const process = up();
    await moved(process);
    await held();
    globalThis.process.kill(process.pidOf("classifier") ?? -1, "SIGSTOP");
    await process.line(/actuator.*no plan came within its time to live/);
    await restored();
    globalThis.process.kill(process.pidOf("classifier") ?? 0, "SIGCONT");
    await held();
    expect(await process.stop()).toBe(0);
  });

  test("writes nothing in a dry run, and shows what it would write", async () => {
    const process = up(["--dry-run"]);
    await moved(process);
    await process.line(/actuator.*dry run: would write .*busy/);
    expect(differences(found, snapshot())).toEqual([]);
    expect(await process.stop()).toBe(0);
  });

  test("does not run twice with the same directories", async () => {
    const first = up();
    await first.line(/kvm-governor is up/);
    const second = up();
    expect(await second.ended()).toBe(1);
    expect(second.lines.join("\n")).toMatch(/another kvmgov runs here already/);
    expect(await first.stop()).toBe(0);
  });
});

/** Addresses of service discovery (HTTP SD), in their order. */
async function discovered(classifier: string): Promise<string[]> {
  const answer = await fetch(`${classifier}/api/v1/prometheus/targets`);
  return ((await answer.json()) as { targets: string[] }[]).flatMap(({ targets }) => targets);
}

/** A machine that has guests of its own cannot show what is said without any. */
const others = readdirSync("/proc").filter((pid) => {
  try {
    return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("qemu-system");
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
});

describeWith(["servers"], "kvmgov up --json", () => {
  test("tells every event as one JSON line: where the pages are, and whether all guests were put back", async () => {
    const dir = mkdtempSync(path.join(tmpdir(), `kvmgov-up-${process.pid}-`));
    // Guests of others are none of ours.
    const policy = path.join(dir, "policy.yaml");
    writeFileSync(policy, JSON.stringify({ rules: [{ match: { name: "*" }, class: "exempt" }] }));
    const args = ["--json", "--dry-run", "--policy", policy];
    const up = new UpProcess({ dir, libvirtRunDir: path.join(dir, "none"), args });
    const line = JSON.parse(await up.line(/"event":"up"/)) as { urls: Record<string, string> };
    expect(Object.keys(line.urls)).toEqual(["actuator", "classifier", "collector"]);
    expect((await fetch(`${line.urls["classifier"]}/-/healthy`)).status).toBe(200);
    expect(await up.stop()).toBe(0);
    const events = up.lines.map((each) => JSON.parse(each) as Record<string, unknown>);
    for (const event of events) {
      expect(event).toMatchObject({
        service: expect.any(String),
        msg: expect.any(String),
        time: expect.anything(),
      });
    }
    expect(events.filter(({ service }) => service === "collector").length).toBeGreaterThan(0);
    const own = events.filter(({ service }) => service === "kvmgov").map(({ event }) => event);
    expect(own.filter((event) => event !== "starting" && event !== "no-guests")).toEqual([
      ...(process.getuid?.() === 0 ? [] : ["dry-run"]),
      ...["up", "stopping", "stopped"],
    ]);
    expect(events.at(-1)).toMatchObject({ event: "stopped", restored: true });
    rmSync(dir, { recursive: true, force: true });
  });
});

describeWith(["servers"], "kvmgov up on a host without guests", () => {
  const run = others.length === 0 ? test : test.skip;
  run("says that there are none, and what to do — skipped where the machine has guests —", async () => {
    const dir = mkdtempSync(path.join(tmpdir(), `kvmgov-up-${process.pid}-`));
    const up = new UpProcess({ dir, libvirtRunDir: path.join(dir, "none"), args: ["--dry-run"] });
    await up.line(/No KVM guests on this host.*npm run demo/);
    expect(await up.stop()).toBe(0);
    rmSync(dir, { recursive: true, force: true });
  });
});
