/** What is known of where guests are, whatever keeps it: one list of cases, run over each implementation. */
import { describe, expect, it } from "@jest/globals";
import type { CarriedGuest } from "@kvm-governor/policy";
import { NASTY_NAME } from "../testing/states.ts";
import type { GuestPlaces } from "./guest-places.ts";

export const carried: CarriedGuest = {
  class: "scientific",
  count: 4,
  inListUs: 60_000_000,
  declared: "auto",
  usage: 0.1 + 0.2,
  reason: { code: "moved-to-scientific", text: NASTY_NAME },
};
const KEEP_MS = 600_000;

/** @param newUuid of a guest that no test had before */
export function describeGuestPlaces(name: string, open: () => GuestPlaces, newUuid: () => string): void {
  describe(`${name}: places of guests`, () => {
    it("knows nothing of a guest that it never saw, and then where it is", async () => {
      const [places, uuid] = [open(), newUuid()];
      expect(await places.arrive(uuid, "a")).toBeUndefined();
      expect(await places.arrive(uuid, "a")).toEqual({ host: "a" });
    });

    it("hands over what was known of a guest that left, however often it is asked", async () => {
      const [places, uuid] = [open(), newUuid()];
      await places.arrive(uuid, "a");
      for (let i = 0; i < 2; i++) await places.leave(uuid, "a", carried, KEEP_MS);
      for (let i = 0; i < 2; i++)
        expect(await places.arrive(uuid, "b")).toEqual({ host: "a", from: "a", carried });
    });

    it("knows for whom a guest was taken, and what went along", async () => {
      const [places, uuid] = [open(), newUuid()];
      await places.arrive(uuid, "a");
      for (let i = 0; i < 2; i++) await places.take(uuid, "b", "a", carried);
      expect(await places.arrive(uuid, "b")).toEqual({ host: "b", from: "a", carried });
      expect(await places.arrive(uuid, "c")).toEqual({ host: "b", from: "a", carried });
    });

    it("does not listen to a host that a guest was taken from", async () => {
      const [places, uuid] = [open(), newUuid()];
      await places.arrive(uuid, "a");
      await places.take(uuid, "b", "a", carried);
      await places.leave(uuid, "a", { ...carried, count: 0 }, KEEP_MS);
      expect(await places.arrive(uuid, "b")).toEqual({ host: "b", from: "a", carried });
    });

    it("is taken without anything where nothing is known", async () => {
      const [places, uuid] = [open(), newUuid()];
      await places.arrive(uuid, "a");
      await places.take(uuid, "b", "a", undefined);
      expect(await places.arrive(uuid, "b")).toEqual({ host: "b" });
    });

    it("goes from host to host, and back", async () => {
      const [places, uuid] = [open(), newUuid()];
      await places.arrive(uuid, "a");
      await places.leave(uuid, "a", carried, KEEP_MS);
      await places.take(uuid, "b", "a", carried);
      const later = { ...carried, count: 5 };
      await places.leave(uuid, "b", later, KEEP_MS);
      expect(await places.arrive(uuid, "a")).toEqual({ host: "b", from: "b", carried: later });
    });
  });
}
