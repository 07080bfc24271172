/** A release for arm64, run by an emulator of that processor: its Node starts, and the numbers of its system calls are those of the kernel. */
import { execFile } from "node:child_process";
import { openSync, readSync, closeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { ensureTools } from "@kvm-governor/lab";
import { repository } from "../support/deployed.ts";
import { describeWith } from "../support/requirements.ts";

const exec = promisify(execFile);
const MIB = 1024 * 1024;
/** Of the header of an ELF file: e_machine, at byte 18 (elf(5)). */
const ELF_MACHINE = { at: 18, aarch64: 183 };
jest.setTimeout(300_000);

describeWith(["x86", "arm64"], "a release for arm64", () => {
  let dir: string;
  let tree: string;

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "kvmgov-arm64-"));
    const script = path.join(repository, "scripts/release.js");
    const { stdout } = await exec(process.execPath, [script, "--arch", "arm64", dir]);
    expect(path.basename(stdout.trim())).toMatch(/^kvm-governor-.*-linux-arm64\.tar\.gz$/);
    await exec("tar", ["-xzf", stdout.trim(), "-C", dir]);
    tree = path.join(dir, path.basename(stdout.trim(), ".tar.gz"));
  }, 300_000);

  afterAll(() => rm(dir, { recursive: true, force: true }));

  /** Runs `kvmgov`; with `-strace` the emulator writes each system call to standard error, by the name that its number has on arm64. */
  async function kvmgov(
    args: string[],
    emulator: string[] = [],
  ): Promise<{ stdout: string; stderr: string }> {
    const tools = await ensureTools(["arm64"]);
    const libraries = tools.trees[0] ?? "/";
    const command = [
      ...emulator,
      "-L",
      libraries,
      path.join(tree, "bin/node"),
      path.join(tree, "lib/kvmgov.js"),
    ];
    const env = { PATH: process.env["PATH"] };
    const options = { env, maxBuffer: 256 * MIB };
    return exec(tools.find("qemu-aarch64-static").path, [...command, ...args], options).catch(
      // The doctor exits with 1 where this machine lacks something: what it says is what counts.
      (error: { stdout?: string; stderr?: string }) => {
        if (error.stdout === undefined || error.stderr === undefined) throw error;
        return { stdout: error.stdout, stderr: error.stderr };
      },
    );
  }

  test("has programs for that processor alone", () => {
    for (const file of ["bin/node", "node_modules/@koromix/koffi-linux-arm64/linux_arm64/koffi.node"]) {
      const header = Buffer.alloc(64);
      const fd = openSync(path.join(tree, file), "r");
      readSync(fd, header);
      closeSync(fd);
      expect({ file, machine: header.readUInt16LE(ELF_MACHINE.at) }).toEqual({
        file,
        machine: ELF_MACHINE.aarch64,
      });
    }
  });

  test("starts, and says where it runs", async () => {
    expect(JSON.parse((await kvmgov(["version", "--json"])).stdout)).toMatchObject({ arch: "arm64" });
  });

  test("calls perf_event_open by its number there", async () => {
    const { stdout, stderr } = await kvmgov(["doctor", "--json"], ["-strace"]);
    const { checks } = JSON.parse(stdout) as { checks: { name: string; reason: string }[] };
    // The emulator knows the call by name, and does not make it.
    expect(checks.find(({ name }) => name === "perf")?.reason).toMatch(/perf_event_open\(.*\): ENOSYS/);
    // Attributes, thread, any CPU, no group, close-on-exec.
    expect(stderr).toMatch(/ perf_event_open\((0x)?[0-9a-f]+,\d+,-1,-1,8,/);
  });

  test("is refused for a processor that there is no Node for", async () => {
    const script = path.join(repository, "scripts/release.js");
    await expect(exec(process.execPath, [script, "--arch", "riscv64", dir])).rejects.toThrow(
      /kvm-governor runs on x64 and arm64, not on riscv64/,
    );
  });
});
