import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { HostLock, Journal, readJournalEntries } from "@kvm-governor/linux";
import { uninstallCommand } from "../commands/release.ts";
import { install, use } from "./install.ts";
import { CONFIGURATION, Layout, UNITS } from "./layout.ts";
import { readRelease, verifyRelease } from "./release.ts";
import { uninstall } from "./uninstall.ts";

let dir: string;
let layout: Layout;

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "kvmgov-install-"));
  layout = new Layout({ root: path.join(dir, "root"), prefix: "/srv/governor" });
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A tree with all that the installation reads. */
function release(version: string, journal = 1): string {
  const tree = path.join(dir, `unpacked-${version}`);
  const files: Record<string, string> = {
    "package.json": JSON.stringify({ version, formats: { journal } }),
    "bin/kvmgov": `#!/bin/sh\necho ${version}\n`,
    "man/kvmgov.1": `manual of ${version}`,
    ...Object.fromEntries(
      UNITS.map((unit) => [`systemd/${unit}`, "ExecStart=/opt/kvm-governor/current/bin/x\n"]),
    ),
    ...Object.fromEntries(CONFIGURATION.map((name) => [`config/${name}`, `# of ${version}\n`])),
  };
  const sums: string[] = [];
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(tree, name)), { recursive: true });
    writeFileSync(path.join(tree, name), text);
    sums.push(`${createHash("sha256").update(text).digest("hex")}  ${name}\n`);
  }
  writeFileSync(path.join(tree, "SHA256SUMS"), sums.join(""));
  return tree;
}

const text = (...parts: string[]): string => readFileSync(path.join(...parts), "utf8");
const all = (): string[] => readdirSync(layout.root, { recursive: true, encoding: "utf8" }).sort();

/** What an actuator keeps of a guest that it holds: here of one that is gone by now. */
function holdSomething({ state }: Layout = layout): void {
  const journal = new Journal(state, Date.now);
  const guest = { uuid: "6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11", name: "held", pid: 2 ** 30, startTime: 1 };
  journal.keep({ guest, bootId: "some-boot", mountPoints: [], files: [], threads: [] });
  journal.dispose();
}

describe("install", () => {
  test("puts a release in place, points to it, makes configuration, enables nothing", async () => {
    const report = await install(layout, release("1.0.0"));
    expect(report).toEqual({ version: "1.0.0", made: CONFIGURATION, removed: [] });
    expect(text(layout.current, "man/kvmgov.1")).toBe("manual of 1.0.0");
    expect(readlinkSync(layout.command)).toBe("/srv/governor/current/bin/kvmgov");
    expect(text(layout.units, "kvm-governor-actuator.service")).toBe(
      "ExecStart=/srv/governor/current/bin/x\n",
    );
    expect(statSync(path.join(layout.configuration, "host.env")).mode & 0o777).toBe(0o600);
    expect(existsSync(layout.enabledUnits)).toBe(false);
    const before = all();
    expect(await install(layout, release("1.0.0"))).toEqual({
      version: "1.0.0",
      from: "1.0.0",
      made: [],
      removed: [],
    });
    expect(all()).toEqual(before);
  });

  test("upgrades, keeps the configuration and the release before, and goes back", async () => {
    await install(layout, release("1.0.0"));
    writeFileSync(path.join(layout.configuration, "policy.yaml"), "mine");
    await install(layout, release("1.1.0"));
    expect(await install(layout, release("2.0.0"))).toMatchObject({
      from: "1.1.0",
      made: [],
      removed: ["1.0.0"],
    });
    expect(text(layout.configuration, "policy.yaml")).toBe("mine");
    expect(text(layout.manPage)).toBe("manual of 2.0.0");
    expect(await use(layout, "1.1.0")).toEqual({ version: "1.1.0", from: "2.0.0", removed: [] });
    expect(text(layout.manPage)).toBe("manual of 1.1.0");
    await expect(use(layout, "1.0.0")).rejects.toThrow(/1\.0\.0 is not installed; there is 1\.1\.0, 2\.0\.0/);
  });

  test("goes back past a newer journal only when it holds nothing", async () => {
    await install(layout, release("1.0.0", 1));
    await install(layout, release("2.0.0", 2));
    holdSomething();
    await expect(use(layout, "1.0.0")).rejects.toThrow(/1 guests are held, and release 1\.0\.0 cannot read/);
    expect(readlinkSync(layout.current)).toBe("releases/2.0.0");
    rmSync(layout.state, { recursive: true });
    expect(await use(layout, "1.0.0")).toMatchObject({ version: "1.0.0" });
  });

  test.each([
    ["changed", (tree: string) => writeFileSync(path.join(tree, "bin/kvmgov"), "something else")],
    ["missing", (tree: string) => rmSync(path.join(tree, "man/kvmgov.1"))],
  ])("refuses an archive with a file that is %s, and leaves the one in use", async (_what, damage) => {
    await install(layout, release("1.0.0"));
    const tree = release("1.1.0");
    damage(tree);
    const before = all();
    await expect(install(layout, tree)).rejects.toThrow(/is not as it was released/);
    expect(all()).toEqual(before);
  });

  test("refuses what is no release, and sums that lead elsewhere", async () => {
    expect(() => readRelease(dir)).toThrow(/no unpacked release/);
    const tree = release("1.0.0");
    writeFileSync(path.join(tree, "SHA256SUMS"), `${"0".repeat(64)}  ../../etc/passwd\n`);
    await expect(verifyRelease(tree)).rejects.toThrow(/cannot be read at/);
    writeFileSync(
      path.join(tree, "package.json"),
      JSON.stringify({ version: "../1", formats: { journal: 1 } }),
    );
    expect(() => readRelease(tree)).toThrow(/version "..\/1" is none/);
  });
});

describe("uninstall", () => {
  const options = { purge: false, libvirtRunDir: "/nonexistent" };

  test("leaves configuration and state, or with purge nothing at all", async () => {
    await install(layout, release("1.0.0"));
    mkdirSync(layout.state, { recursive: true });
    writeFileSync(path.join(layout.state, "audit.jsonl"), "");
    mkdirSync(layout.enabledUnits, { recursive: true });
    writeFileSync(path.join(layout.enabledUnits, UNITS[0] ?? ""), "enabled");
    const report = await uninstall(layout, options);
    expect(report.kept).toEqual([layout.configuration, layout.state]);
    expect(
      all().filter(
        (name) => /governor|kvmgov/.test(name) && !/etc\/kvm-governor|lib\/kvm-governor/.test(name),
      ),
    ).toEqual([]);
    expect((await uninstall(layout, { ...options, purge: true })).kept).toEqual([]);
    expect(all().filter((name) => /governor|kvmgov/.test(name))).toEqual([]);
  });

  test("puts back what is held where actuator.yaml says, and never removes a directory that it names", async () => {
    const stateDir = "/data";
    const elsewhere = new Layout({ ...layout, stateDir });
    await install(layout, release("1.0.0"));
    writeFileSync(path.join(layout.configuration, "actuator.yaml"), `stateDir: ${stateDir}\n`);
    holdSomething(elsewhere);
    const write = jest.spyOn(process.stdout, "write").mockReturnValue(true);
    const { root, prefix } = layout;
    await uninstallCommand({ root, prefix, purge: true });
    const said = write.mock.calls.map(([text]) => String(text)).join("");
    write.mockRestore();
    // The guest is of another boot: gone, and its entry with it.
    expect(readJournalEntries(elsewhere.state)).toEqual([]);
    expect(said).toContain(`kept    ${elsewhere.state} (not made by us)`);
    expect(existsSync(layout.configuration)).toBe(false);
  });

  test("removes nothing where actuator.yaml cannot be read: guests may be held anywhere", async () => {
    await install(layout, release("1.0.0"));
    writeFileSync(path.join(layout.configuration, "actuator.yaml"), "stateDir: [\n");
    const before = all();
    const { root, prefix } = layout;
    await expect(uninstallCommand({ root, prefix })).rejects.toThrow(/actuator\.yaml does not say where/);
    expect(all()).toEqual(before);
  });

  test("removes nothing under a running actuator", async () => {
    await install(layout, release("1.0.0"));
    const lock = new HostLock(layout.state);
    const before = all();
    await expect(uninstall(layout, options)).rejects.toThrow(/an actuator runs .*stop it first/);
    expect(all()).toEqual(before);
    lock[Symbol.dispose]();
  });
});
