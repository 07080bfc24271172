/** `kvmgov restore` as a process, on baselines of its own: what it looks for, where, and what it answers. */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { HostLock, handsOffFile, Journal } from "@kvm-governor/linux";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const UUID = "6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11";
const isRoot = process.getuid?.() === 0;
const GONE = "web-1: gone, nothing written (its baseline is of another boot)\n";
/** User and group that own nothing. */
const NOBODY = 65_534;

(isRoot ? describe : describe.skip)(
  isRoot ? "kvmgov restore" : "kvmgov restore — skipped: not root —",
  () => {
    let dir: string;
    let stateDir: string;

    beforeEach(() => {
      dir = mkdtempSync(path.join(tmpdir(), "kvmgov-restore-"));
      stateDir = path.join(dir, "state");
    });
    afterEach(() => rmSync(dir, { recursive: true }));

    /** Without a state directory in the environment: as whoever types the command at a host. */
    function restore(args: readonly string[], { env = {}, uid = 0 } = {}) {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ["--disable-warning=ExperimentalWarning", MAIN, "restore", ...args],
        {
          env: {
            PATH: process.env["PATH"],
            HOME: dir,
            KVMGOV_RUN_DIR: path.join(dir, "run"),
            KVMGOV_LIBVIRT_RUN_DIR: path.join(dir, "libvirt"),
            ...env,
          },
          encoding: "utf8",
          uid,
          gid: uid,
        },
      );
      return { status, stdout, stderr };
    }

    /** What an actuator keeps of a guest that it holds: here of one that is gone by now. */
    function hold(): void {
      const journal = new Journal(stateDir, Date.now);
      const guest = { uuid: UUID, name: "web-1", pid: 2 ** 30, startTime: 1 };
      journal.keep({ guest, bootId: "some-boot", mountPoints: [], files: [], threads: [] });
      journal.dispose();
    }

    it("looks where the actuator's configuration says, and names the place", () => {
      hold();
      const file = path.join(dir, "actuator.yaml");
      writeFileSync(file, `stateDir: ${stateDir}\nlimits: { floorCores: wrong }\n`);
      const env = { KVMGOV_CONFIG: file };
      // One guest alone: were it to look where this machine's own baselines are, it would find nothing to do.
      expect(restore(["--guest", "web-1"], { env })).toEqual({ status: 0, stdout: GONE, stderr: "" });
      const text = `Nothing to restore: no guest is held (baselines: ${stateDir}).\n`;
      expect(restore([], { env })).toEqual({ status: 0, stdout: text, stderr: "" });
      expect(JSON.parse(restore(["--json"], { env }).stdout)).toMatchObject({ restored: true, stateDir });
    });

    it("goes on without a configuration that cannot be read, says so, and is not sure of it", () => {
      const file = path.join(dir, "actuator.yaml");
      writeFileSync(file, "stateDir: [\n");
      const env = { KVMGOV_CONFIG: file };
      hold();
      const told = restore(["--state-dir", stateDir], { env });
      expect(told).toEqual({ status: 0, stdout: GONE, stderr: "" });
      const unsure = restore([], { env: { ...env, KVMGOV_STATE_DIR: stateDir, KVMGOV_RUN_DIR: "" } });
      expect(unsure).toMatchObject({ status: 1, stdout: expect.stringContaining("Nothing to restore") });
      expect(unsure.stderr).toMatch(/actuator\.yaml does not say where .*; looking in /);
    });

    it("takes a UUID in any case, and refuses a guest that nobody knows", () => {
      hold();
      for (const typo of ["Web-1", "web-2", UUID.replace("6", "7")]) {
        const { status, stderr } = restore(["--guest", typo, "--state-dir", stateDir]);
        expect([status, stderr]).toEqual([
          1,
          expect.stringMatching(/^kvmgov: no guest \S+ runs on this host, and none is held/),
        ]);
      }
      const upper = restore(["--guest", UUID.toUpperCase(), "--state-dir", stateDir]);
      expect(upper).toEqual({ status: 0, stdout: GONE, stderr: "" });
    });

    it("does not ask a running actuator to leave a guest alone that nobody knows", () => {
      hold();
      using _lock = new HostLock(stateDir);
      const { status, stderr } = restore(["--guest", "Web-1", "--state-dir", stateDir]);
      expect([status, stderr]).toEqual([1, expect.stringContaining("no guest Web-1 runs on this host")]);
      expect(existsSync(handsOffFile(stateDir))).toBe(false);
    });

    it("is an error for who is not root, and leaves nothing behind", () => {
      const home = path.join(dir, ".local");
      const { status, stdout, stderr } = restore([], { uid: NOBODY });
      expect([status, stdout, stderr]).toEqual([1, "", expect.stringMatching(/^kvmgov: restore needs root/)]);
      expect(existsSync(home)).toBe(false);
    });
  },
);
