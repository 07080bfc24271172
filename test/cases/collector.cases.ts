/** What the collector tells of a host and its guests. */
import { expect } from "@jest/globals";
import { waitFor } from "../support/service-process.ts";
import type { It } from "./stage.ts";

export function collectorCases(it: It): void {
  it("the collector finds and measures the guests there", async (stage) => {
    await using governed = stage.governed();
    // First: little else gets CPU beside a guest that spins.
    await governed.service("collector", { KVMGOV_CHECK_PERIOD_MS: "1000" });
    const busy = await stage.host.defineAndStart({
      name: "measured",
      spin: true,
      policy: { class: "scientific" },
    });
    try {
      // While libvirt starts it, it is told as paused.
      const isOfIt = ({ uuid, state }: { uuid: string; state: string }): boolean =>
        uuid === busy.uuid && state === "running";
      const mine = () =>
        stage.plane.samples.filter(({ host: id, guests: seen }) => id === governed.id && seen.some(isOfIt));
      await waitFor(
        "three samples of it",
        20_000 * stage.host.patience,
        () => mine().length >= 3 || undefined,
      );
      const sample = mine().at(-1);
      const byUuid = new Map(sample?.guests.map((guest) => [guest.uuid, guest]));
      for (const { name: guest, uuid, pid, startTime, vcpuTids } of [...stage.all(), busy]) {
        expect(byUuid.get(uuid)).toMatchObject({ name: guest, pid, startTime, state: "running" });
        expect(byUuid.get(uuid)?.vcpus).toHaveLength(vcpuTids.length);
      }
      expect(byUuid.get(busy.uuid)?.declared).toMatchObject({ class: "scientific" });
      const runOf = (uuid: string): number | undefined => byUuid.get(uuid)?.vcpus[0]?.run;
      expect(runOf(busy.uuid)).toBeGreaterThan(0.1);
      expect(runOf(stage.guests.plain.uuid)).toBeLessThan(0.05);
      expect(byUuid.get(stage.guests.pinned.uuid)).toMatchObject({ allowedCpus: [1] });
      const described = stage.plane.hosts.find(({ host: id }) => id === governed.id);
      expect(described?.cgroupVersion).toBe(stage.host.cgroupVersion);
    } finally {
      await stage.host.destroy("measured");
    }
  });
}
