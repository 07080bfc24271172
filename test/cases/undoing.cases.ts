/** Guests get back what they had: when plans end, after a kill, by hand, without a journal; and nobody else gets it. */
import { expect } from "@jest/globals";
import { waitFor } from "../support/service-process.ts";
import { errorsOf, heldPlan, outcomes } from "./guest-plans.ts";
import { changes, part } from "./kernel-states.ts";
import type { It, Stage } from "./stage.ts";

const JOURNAL = "journal";

export function undoingCases(it: It): void {
  it("without a new plan everything goes back when the plan's time is over", async (stage) => {
    await using governed = stage.governed();
    const actuator = await governed.service("actuator");
    const plan = await governed.plan(stage.heldAll(), stage.host.shortTtlMs);
    await governed.follow(plan);
    expect(changes(stage.untouched, await stage.state())).not.toEqual([]);
    await actuator.event("dead-mans-switch", 5000 * stage.host.patience);
    await actuator.event("restored", 5000 * stage.host.patience, 4);
    expect(changes(stage.untouched, await stage.state())).toEqual([]);
  });

  it("a killed actuator is made good by whoever stands guard, without being asked", async (stage) => {
    await using governed = stage.governed();
    const actuator = await governed.service("actuator", {}, { isGuarded: true });
    await governed.follow(await governed.plan(stage.heldAll()));
    expect(changes(stage.untouched, await stage.state())).not.toEqual([]);
    await actuator.kill();
    expect(changes(stage.untouched, await stage.state())).toEqual([]);
    expect(await stage.host.hasState(governed.id, JOURNAL)).toBe(false);
  });

  it("a killed actuator is made good by `kvmgov restore`, as often as one likes", async (stage) => {
    await using governed = stage.governed();
    const actuator = await governed.service("actuator");
    await governed.follow(await governed.plan(stage.heldAll()));
    await actuator.kill();
    expect(changes(stage.untouched, await stage.state())).not.toEqual([]);
    const one = await governed.kvmgov("restore", "--guest", "case-tuned", "--json");
    expect(outcomes(one.stdout)).toEqual(["case-tuned restored"]);
    const tuned = await stage.host.kernelState([stage.guests.tuned]);
    expect(changes(part(stage.untouched, tuned), tuned)).toEqual([]);
    const rest = await governed.kvmgov("restore", "--json");
    expect(outcomes(rest.stdout)).toEqual(
      [stage.guests.plain, stage.guests.pinned, stage.guests.pair].map(
        ({ name: guest }) => `${guest} restored`,
      ),
    );
    expect(changes(stage.untouched, await stage.state())).toEqual([]);
    expect((await governed.kvmgov("restore")).stdout).toContain("Nothing to restore");
  });

  it("`kvmgov restore` while the actuator runs has it give back and hold back, until `kvmgov resume`", async (stage) => {
    await using governed = stage.governed();
    await governed.service("actuator");
    const plan = await governed.plan(stage.heldAll());
    await governed.follow(plan);
    const asked = await governed.kvmgov("restore", "--json");
    expect([asked.code, asked.stderr]).toEqual([0, ""]);
    expect(JSON.parse(asked.stdout)).toMatchObject({ restored: true, by: "actuator" });
    expect(changes(stage.untouched, await stage.state())).toEqual([]);
    expect((await governed.follow(await governed.renewed(plan))).writes).toEqual([]);
    expect((await governed.kvmgov("resume")).code).toBe(0);
    await waitFor("guests held again", 10_000 * stage.host.patience, async () => {
      const { writes } = await governed.follow(await governed.renewed(plan));
      return writes.length > 0 || undefined;
    });
  });

  it("a lost journal is noticed, and libvirt's configuration is what guests go back to", async (stage) => {
    await using governed = stage.governed();
    const actuator = await governed.service("actuator");
    const configured = [stage.guests.plain, stage.guests.tuned, stage.guests.pinned]; // `pair` has what libvirt does not know of
    const before = await stage.host.kernelState(configured);
    await governed.follow(await governed.plan(configured.map(heldPlan)));
    await actuator.kill();
    await stage.host.removeState(governed.id, JOURNAL);
    const { stdout } = await governed.kvmgov("restore", "--json");
    const { journalLost, unknown } = JSON.parse(stdout) as { journalLost: boolean; unknown: string[] };
    expect(journalLost).toBe(true);
    // Other things on this machine may have guests without a configuration: nothing can be said about those.
    expect(unknown.filter((name) => name.startsWith("case"))).toEqual([]);
    expect(changes(before, await stage.host.kernelState(configured))).toEqual([]);
    await stage.host.setAffinity(stage.guests.pair.vcpuTids[1] ?? 0, [1]);
    expect(changes(stage.untouched, await stage.state())).toEqual([]);
  });

  it("a guest that restarted before the restore is not touched", async (stage) => {
    await using governed = stage.governed();
    const doomed = await stage.host.defineAndStart({ name: "doomed" });
    try {
      const actuator = await governed.service("actuator");
      await governed.follow(await governed.plan([heldPlan(doomed), heldPlan(stage.guests.plain)]));
      await actuator.kill();
      await stage.host.destroy("doomed");
      const again = await stage.host.start("doomed");
      await stage.host.setAffinity(again.vcpuTids[0] ?? 0, [1]);
      const fresh = await stage.host.kernelState([again]);
      const { stdout } = await governed.kvmgov("restore", "--json");
      expect(outcomes(stdout)).toEqual(["doomed gone", `${stage.guests.plain.name} restored`]);
      expect(changes(fresh, await stage.host.kernelState([again]))).toEqual([]);
      expect(changes(stage.untouched, await stage.state())).toEqual([]);
    } finally {
      await stage.host.destroy("doomed");
    }
  });
}

/** @param noReboot why the host cannot be rebooted */
export function rebootCases(it: It, noReboot: string | undefined): void {
  const reboots = async (stage: Stage): Promise<void> => {
    await using governed = stage.governed();
    const actuator = await governed.service("actuator");
    await governed.follow(await governed.plan(stage.heldAll()));
    expect(await stage.host.hasState(governed.id, JOURNAL)).toBe(true);
    await actuator.kill();
    await stage.host.reboot?.();
    await stage.startGuests();
    const fresh = stage.untouched;
    const { code, stdout } = await governed.kvmgov("restore", "--json");
    expect([code, outcomes(stdout)]).toEqual([0, stage.all().map(({ name: guest }) => `${guest} gone`)]);
    expect(changes(fresh, await stage.state())).toEqual([]);
    const next = await governed.service("actuator");
    expect(errorsOf(await governed.follow(await governed.plan(stage.heldAll())))).toEqual([]);
    expect(await next.stop()).toBe(0);
    expect(changes(fresh, await stage.state())).toEqual([]);
  };
  it("after a reboot an old baseline reaches nobody", reboots, noReboot);
}
