/** A release as a user gets it: packed, unpacked, installed, run on a real guest, upgraded, taken back and removed. */
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { startLibvirt, type Guest, type Libvirt } from "@kvm-governor/lab";
import { ActuatorBench, heldPlan, kernelState } from "../support/actuator-bench.ts";
import { repository } from "../support/deployed.ts";
import { changesSince, machineState, NO_CHANGES, type MachineState } from "../support/machine-state.ts";
import { describeWith } from "../support/requirements.ts";
import { ServiceProcess } from "../support/service-process.ts";

const exec = promisify(execFile);
const START_MS = 180_000;
jest.setTimeout(60_000);

let dir: string;
let unpacked: string;
let root: string;
let version: string;

/** Runs a program without any of this process' settings. */
const clean = (file: string, args: string[], env: Record<string, string> = {}) =>
  exec(file, args, { env: { PATH: process.env["PATH"], ...env } });
const kvmgov = (tree: string, ...args: string[]) => clean(path.join(tree, "bin/kvmgov"), args);
const installed = (...parts: string[]): string => path.join(root, "opt/kvm-governor", ...parts);

async function pack(into: string): Promise<string> {
  const { stdout } = await exec(process.execPath, [path.join(repository, "scripts/release.js"), into]);
  return stdout.trim();
}

/** The next release: the same programs under another version. */
async function nextRelease(): Promise<string> {
  const tree = path.join(dir, "next");
  await cp(unpacked, tree, { recursive: true, verbatimSymlinks: true });
  const manifest = JSON.parse(readFileSync(path.join(tree, "package.json"), "utf8")) as object;
  const text = JSON.stringify({ ...manifest, version: "99.0.0" });
  writeFileSync(path.join(tree, "package.json"), text);
  const sums = readFileSync(path.join(tree, "SHA256SUMS"), "utf8");
  const sum = createHash("sha256").update(text).digest("hex");
  writeFileSync(
    path.join(tree, "SHA256SUMS"),
    sums.replace(/^\w+ {2}package\.json$/m, `${sum}  package.json`),
  );
  return tree;
}

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "kvmgov-release-"));
  root = path.join(dir, "root");
  const archive = await pack(path.join(dir, "dist"));
  await exec("tar", ["-xzf", archive, "-C", dir]);
  unpacked = path.join(dir, path.basename(archive, ".tar.gz"));
  ({ version } = JSON.parse(readFileSync(path.join(repository, "package.json"), "utf8")) as {
    version: string;
  });
}, START_MS);

afterAll(() => rm(dir, { recursive: true, force: true }));

describe("a release", () => {
  test(
    "is the same for the same sources",
    async () => {
      const again = await pack(path.join(dir, "again"));
      const sum = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");
      expect(sum(again)).toBe(sum(path.join(dir, "dist", path.basename(again))));
    },
    START_MS,
  );

  test("names no path of the machine it was made on, and holds neither tests nor sources of services", () => {
    const files = readdirSync(unpacked, { recursive: true, encoding: "utf8" });
    expect(files.filter((file) => /\.test\.|services\/.*\.ts$/.test(file))).toEqual([]);
    const bundles = files.filter((file) => file.startsWith("lib/"));
    expect(bundles.length).toBeGreaterThan(5);
    for (const file of bundles) {
      expect({ file, named: readFileSync(path.join(unpacked, file), "utf8").includes(repository) }).toEqual({
        file,
        named: false,
      });
    }
  });

  test("lists what is in it, with licences", () => {
    const { components } = JSON.parse(readFileSync(path.join(unpacked, "sbom.cdx.json"), "utf8")) as {
      components: { name: string; version: string; licenses?: object[] }[];
    };
    for (const name of ["koffi", "zod", "ioredis", "express"]) {
      expect(components.find((component) => component.name === name)).toMatchObject({
        version: expect.stringMatching(/^\d/),
        licenses: [expect.anything()],
      });
    }
  });

  test("brings the licences of what it is made of", () => {
    const text = readFileSync(path.join(unpacked, "THIRD-PARTY-NOTICES.txt"), "utf8");
    for (const name of ["koffi", "zod", "ioredis", "express", `node-linux-${process.arch}`])
      expect(text).toMatch(new RegExp(`^${name} \\d\\S* \\(.+\\)$`, "m"));
    expect(text).toMatch(/Permission is hereby granted/);
    expect(text).toMatch(/TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION/);
    expect(text).not.toMatch(/^(jest|typescript|axe-core) /m);
  });

  test("lists what is in each image of it", () => {
    const read = (service: string) =>
      JSON.parse(readFileSync(path.join(unpacked, `sbom/${service}.cdx.json`), "utf8")) as {
        bomFormat: string;
        components: { name: string }[];
      };
    const whole = JSON.parse(readFileSync(path.join(unpacked, "sbom.cdx.json"), "utf8")) as {
      components: { name: string }[];
      metadata: { component: { name: string } };
    };
    // Not that of the directory in which it was made.
    expect(whole.metadata.component.name).toBe("kvm-governor");
    for (const service of ["collector", "classifier", "actuator"]) {
      const { bomFormat, components } = read(service);
      expect(bomFormat).toBe("CycloneDX");
      expect(components.length).toBeGreaterThan(50);
      expect(components.length).toBeLessThan(whole.components.length);
    }
    const names = (service: string): string[] => read(service).components.map(({ name }) => name);
    expect(names("classifier")).toContain("ioredis");
    expect(names("collector")).not.toContain("ioredis");
  });

  test("runs from where it was unpacked, with the Node that it brings", async () => {
    const { stdout } = await kvmgov(unpacked, "version", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ version });
    const help = await kvmgov(unpacked, "--help");
    for (const command of ["install", "uninstall", "restore", "up"]) expect(help.stdout).toContain(command);
  });

  test("restores after every end of a unit but the one that was asked for", async () => {
    const program = path.join(unpacked, "bin/kvmgov-unless-success");
    const said = async (SERVICE_RESULT: string): Promise<string> =>
      (await clean(program, ["version"], { SERVICE_RESULT })).stdout;
    expect(await said("success")).toBe("");
    for (const result of ["watchdog", "signal", "exit-code"]) expect(await said(result)).toContain(version);
    const unit = readFileSync(path.join(unpacked, "systemd/kvm-governor-actuator.service"), "utf8");
    expect(unit).toMatch(/^ExecStopPost=\S+kvmgov-unless-success restore$/m);
  });

  test("refuses to be installed from a checkout", async () => {
    const checkout = path.join(repository, "packages/cli/src/main.ts");
    await expect(exec(process.execPath, [checkout, "install", "--root", root])).rejects.toThrow(
      /no unpacked release/,
    );
    expect(existsSync(root)).toBe(false);
  });

  const analyze = existsSync("/usr/bin/systemd-analyze");
  const testUnits = analyze ? test : test.skip;
  testUnits(
    `has units that systemd accepts${analyze ? "" : " — skipped: no systemd-analyze —"}`,
    async () => {
      await kvmgov(unpacked, "install", "--root", root);
      const units = path.join(root, "usr/local/lib/systemd/system");
      for (const unit of readdirSync(units)) {
        // The programs that it starts are below another root here.
        const file = path.join(units, unit);
        const text = readFileSync(file, "utf8").replaceAll("/opt/kvm-governor", installed());
        const copy = path.join(dir, unit);
        writeFileSync(copy, text);
        const { stderr } = await exec("systemd-analyze", ["verify", "--man=no", copy]);
        expect({ unit, said: stderr.split("\n").filter((line) => line.includes(unit)) }).toEqual({
          unit,
          said: [],
        });
      }
      const broken = path.join(dir, "kvm-governor-broken.service");
      writeFileSync(
        broken,
        readFileSync(path.join(dir, "kvm-governor-actuator.service"), "utf8").replace(
          "Type=notify",
          "Typ=notify",
        ),
      );
      const { stderr } = await exec("systemd-analyze", ["verify", "--man=no", broken]);
      expect(stderr).toMatch(/Typ/);
    },
  );
});

describeWith(["root", "kvm", "cgroup-v1", "lab", "servers"], "an installed release", () => {
  let before: MachineState;
  let libvirt: Libvirt;
  let guest: Guest;
  const own = new Map<string, ServiceProcess>();

  const start = async (
    service: "collector" | "actuator",
    env: Record<string, string>,
  ): Promise<ServiceProcess> => {
    const process = await ServiceProcess.startProgram(
      installed("current/bin/kvmgov-service"),
      [service],
      env,
    );
    own.set(service, process);
    return process;
  };

  beforeAll(async () => {
    before = machineState();
    libvirt = await startLibvirt();
    guest = await libvirt.defineAndStart({ name: "solver", load: { vcpus: 2 } });
    await kvmgov(unpacked, "install", "--root", root);
  }, START_MS);

  afterAll(async () => {
    for (const service of own.values()) await service.kill();
    await libvirt?.stop();
    expect(await changesSince(before)).toEqual(NO_CHANGES);
  }, START_MS);

  test("holds a guest, is upgraded and taken back, and gives everything back when it is removed", async () => {
    await using bench = await ActuatorBench.start();
    const untouched = kernelState(guest);
    const env = {
      ...bench.environment(libvirt),
      KVMGOV_STATE_DIR: path.join(root, "var/lib/kvm-governor"),
      KVMGOV_RUN_DIR: path.join(root, "run/kvm-governor"),
    };
    const collector = await start("collector", env);
    await collector.event("guest-found");
    expect(await collector.metrics()).toContain(`kvmgov_guest_info{`);
    expect(await collector.stop()).toBe(0);
    const actuator = await start("actuator", env);
    await bench.follow(bench.plan([heldPlan(guest)], 60_000));
    const held = kernelState(guest);
    expect(held).not.toEqual(untouched);

    // Under a running actuator a release changes, and nothing is removed.
    await kvmgov(await nextRelease(), "install", "--root", root);
    expect(JSON.parse((await kvmgov(installed("current"), "version", "--json")).stdout)).toMatchObject({
      version: "99.0.0",
    });
    const env1 = { KVMGOV_LIBVIRT_RUN_DIR: path.join(libvirt.runDir, "qemu") };
    await expect(
      clean(path.join(installed("current"), "bin/kvmgov"), ["uninstall", "--root", root], env1),
    ).rejects.toThrow(/an actuator runs/);
    expect(kernelState(guest)).toEqual(held);

    // The release before finds the journal of the one after it, and the other way round.
    await actuator.kill();
    await kvmgov(installed("current"), "use", version, "--root", root);
    const back = await start("actuator", env);
    expect(kernelState(guest)).toEqual(untouched);
    await bench.follow(bench.plan([heldPlan(guest)], 60_000));
    await back.kill();
    expect(kernelState(guest)).toEqual(held);

    const current = path.join(installed("current"), "bin/kvmgov");
    const { stdout } = await clean(current, ["uninstall", "--purge", "--root", root], env1);
    expect(stdout).toContain("Every guest is as it was");
    expect(kernelState(guest)).toEqual(untouched);
    const left = readdirSync(root, { recursive: true, encoding: "utf8" });
    expect(left.filter((file) => /governor|kvmgov/.test(file))).toEqual([]);
  });
});
