/**
 * The units of a release, under a systemd that starts, watches and ends them: ready when they say so; guests are put back
 * whatever ends an actuator; an upgrade goes on; nothing is left after an uninstall. Each is tried without what shall make it so too.
 */
import { expect } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../support/service-process.ts";
import { errorsOf } from "./guest-plans.ts";
import { ACTUATOR, COLLECTOR, InstalledRelease, PREVIOUS } from "./installed-release.ts";
import { changes } from "./kernel-states.ts";
import type { Governed } from "./plane.ts";
import type { It, Stage } from "./stage.ts";

const NO_RESTART = "[Service]\nRestart=no\n";

/** @param noSystemd why systemd does not run the host */
export function unitCases(it: It, noSystemd: string | undefined): void {
  let unpacked: Promise<InstalledRelease> | undefined;

  /** Runs a case on the release before the archive's, whose units are stopped and as released at its end. */
  const onRelease =
    (body: (stage: Stage, release: InstalledRelease, governed: Governed) => Promise<void>) =>
    async (stage: Stage): Promise<void> => {
      const { units } = stage.host;
      if (units === undefined) throw new Error("no release was made for this host");
      unpacked ??= InstalledRelease.unpack(units).then(async (release) => {
        await release.install("previous");
        return release;
      });
      const release = await unpacked;
      await using governed = stage.governed();
      await release.stretch();
      await release.configure(governed.environment());
      try {
        await body(stage, release, governed);
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${await release.log(ACTUATOR)}`, { cause: error });
      } finally {
        await stopAll(release);
      }
    };

  it(
    "a unit is up when the actuator says so, and `systemctl stop` gives every byte back",
    onRelease(ready),
    noSystemd,
  );
  it(
    "an actuator that is killed is made good by its unit, which starts it again",
    onRelease(killed),
    noSystemd,
  );
  it("an actuator that hangs is killed by its watchdog and made good", onRelease(hung), noSystemd);
  it("an upgrade goes on with the guests, and an uninstall leaves nothing", onRelease(upgraded), noSystemd);
}

async function ready(stage: Stage, release: InstalledRelease, governed: Governed): Promise<void> {
  const startedMs = performance.now();
  await release.sh(`systemctl enable --now ${COLLECTOR} ${ACTUATOR}`);
  const startMs = performance.now() - startedMs;
  for (const unit of [ACTUATOR, COLLECTOR]) {
    expect(await release.show(unit, "ActiveState", "NRestarts", "UnitFileState")).toEqual({
      ActiveState: "active",
      NRestarts: "0",
      UnitFileState: "enabled",
    });
  }
  await hold(stage, governed);
  await release.sh(`systemctl stop ${ACTUATOR} ${COLLECTOR}`);
  expect(await release.show(ACTUATOR, "ActiveState", "Result")).toEqual({
    ActiveState: "inactive",
    Result: "success",
  });
  expect(changes(stage.untouched, await stage.state())).toEqual([]);
  // Who hears nothing from it does not take it for ready, however long it runs.
  const patienceS = Math.ceil((3 * startMs) / 1000);
  await release.override(ACTUATOR, `${NO_RESTART}Environment=NOTIFY_SOCKET=\nTimeoutStartSec=${patienceS}\n`);
  await expect(release.sh(`systemctl start ${ACTUATOR}`)).rejects.toThrow(/timeout/);
  expect(await release.show(ACTUATOR, "Result")).toEqual({ Result: "timeout" });
}

async function killed(stage: Stage, release: InstalledRelease, governed: Governed): Promise<void> {
  const kill = `systemctl kill --kill-whom=main --signal=SIGKILL ${ACTUATOR}`;
  // Without ExecStopPost nobody puts the guests back.
  await release.override(ACTUATOR, `${NO_RESTART}ExecStopPost=\n`);
  await release.sh(`systemctl start ${ACTUATOR}`);
  await hold(stage, governed);
  await release.sh(kill);
  await over(stage, release);
  expect(changes(stage.untouched, await stage.state())).not.toEqual([]);
  await release.run("kvmgov restore");
  expect(changes(stage.untouched, await stage.state())).toEqual([]);

  await release.override(ACTUATOR, NO_RESTART);
  await release.sh(`systemctl reset-failed ${ACTUATOR}; systemctl start ${ACTUATOR}`);
  await hold(stage, governed);
  await release.sh(kill);
  await over(stage, release);
  expect(await release.show(ACTUATOR, "Result")).toEqual({ Result: "signal" });
  expect(changes(stage.untouched, await stage.state())).toEqual([]);

  // As released: it comes back by itself, and goes on with the plan.
  await release.asReleased();
  await release.sh(`systemctl reset-failed ${ACTUATOR}; systemctl start ${ACTUATOR}`);
  await hold(stage, governed);
  const before = await release.show(ACTUATOR, "MainPID");
  await release.sh(kill);
  await waitFor("a new actuator", stage.host.caseMs / 3, async () => {
    const { MainPID, ActiveState } = await release.show(ACTUATOR, "MainPID", "ActiveState");
    return ActiveState === "active" && MainPID !== "0" && MainPID !== before["MainPID"] ? true : undefined;
  });
  expect(await release.show(ACTUATOR, "NRestarts")).toEqual({ NRestarts: "1" });
  await hold(stage, governed);
}

async function hung(stage: Stage, release: InstalledRelease, governed: Governed): Promise<void> {
  const freeze = `systemctl kill --kill-whom=main --signal=SIGSTOP ${ACTUATOR}`;
  // Without a watchdog it stays as it is.
  await release.override(ACTUATOR, `${NO_RESTART}WatchdogSec=0\n`);
  await release.sh(`systemctl start ${ACTUATOR}`);
  await hold(stage, governed);
  await release.sh(freeze);
  await sleep(2 * release.watchdogMs);
  expect(await release.show(ACTUATOR, "ActiveState")).toEqual({ ActiveState: "active" });
  expect(changes(stage.untouched, await stage.state())).not.toEqual([]);
  await release.sh(`systemctl kill --kill-whom=main --signal=SIGKILL ${ACTUATOR}`);
  await over(stage, release);

  await release.override(ACTUATOR, NO_RESTART);
  await release.sh(`systemctl reset-failed ${ACTUATOR}; systemctl start ${ACTUATOR}`);
  await hold(stage, governed);
  await release.sh(freeze);
  await over(stage, release);
  expect(await release.show(ACTUATOR, "Result")).toEqual({ Result: "watchdog" });
  expect(changes(stage.untouched, await stage.state())).toEqual([]);
}

async function upgraded(stage: Stage, release: InstalledRelease, governed: Governed): Promise<void> {
  await release.sh(`systemctl enable --now ${COLLECTOR} ${ACTUATOR}`);
  await hold(stage, governed);
  expect(await running(release)).toBe(PREVIOUS);
  await release.install("this");
  expect(await running(release)).toBe(PREVIOUS);
  await release.sh("systemctl try-restart 'kvm-governor-*'");
  expect(await running(release)).toBe(release.version);
  expect(await release.run("kvmgov --version")).toContain(release.version);
  await hold(stage, governed);

  await expect(release.run("kvmgov uninstall --purge")).rejects.toThrow(/an actuator runs/);
  await release.sh(`systemctl disable --now ${COLLECTOR} ${ACTUATOR}`);
  await release.run("kvmgov uninstall --purge");
  await release.forget();
  expect(changes(stage.untouched, await stage.state())).toEqual([]);
  const names = "\\( -name '*kvm-governor*' -o -name '*kvmgov*' \\)";
  const pruned = ["/proc", "/sys", "/repo", "/root", "/var/log"]
    .map((dir) => `-path ${dir} -prune -o`)
    .join(" ");
  expect(await release.sh(`find / ${pruned} ${names} -print`)).toBe("");
  for (const list of ["list-units --all", "list-unit-files"])
    // It exits with 1 where there are none.
    expect((await release.sh(`systemctl ${list} --plain --no-legend 'kvm-governor*' || :`)).trim()).toBe("");
}

/** Has all guests held by a new plan, and sees that they are. */
async function hold(stage: Stage, governed: Governed): Promise<void> {
  const report = await governed.follow(await governed.plan(stage.heldAll()));
  expect([errorsOf(report), report.skipped]).toEqual([[], []]);
  expect(changes(stage.untouched, await stage.state())).not.toEqual([]);
}

/** Waits until the actuator's unit has ended, with all that runs after it. */
async function over(stage: Stage, release: InstalledRelease): Promise<void> {
  await waitFor("the unit's end", stage.host.caseMs / 3, async () => {
    const { ActiveState = "" } = await release.show(ACTUATOR, "ActiveState");
    return ["failed", "inactive"].includes(ActiveState) || undefined;
  });
}

/** Version of the actuator that runs. */
async function running(release: InstalledRelease): Promise<string> {
  const { MainPID } = await release.show(ACTUATOR, "MainPID");
  const program = await release.sh(`readlink /proc/${MainPID}/exe`);
  return /releases\/([^/]+)\/bin\/node/.exec(program)?.[1] ?? program;
}

async function stopAll(release: InstalledRelease): Promise<void> {
  // What a failed case left frozen does not stop by itself.
  await release.sh(
    `systemctl kill --signal=SIGCONT ${ACTUATOR} 2>/dev/null; systemctl stop 'kvm-governor-*'; systemctl reset-failed`,
  );
  await release.asReleased();
}
