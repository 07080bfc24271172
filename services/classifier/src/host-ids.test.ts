import { describe, expect, it } from "@jest/globals";
import { createLogger } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { exposeConflicts, HostIds } from "./host-ids.ts";
import { DuplicateHostError } from "./identity.ts";
import { BOOT, OTHER_BOOT, hostOf } from "./testing/samples.ts";

const HEARD_MS = 1_900_000_000_000;
const HOUR_US = 3_600_000_000;

class Fleet {
  nowMs = 0;
  readonly events: Record<string, unknown>[] = [];
  readonly ids: HostIds;

  constructor() {
    const log = createLogger("test", "silent");
    const keep = (fields: object): void => void this.events.push(fields as Record<string, unknown>);
    for (const level of ["info", "warn", "error"] as const) log[level] = keep;
    this.ids = new HostIds(log, () => this.nowMs);
  }

  announce(host: string, name: string, bootId = BOOT, bootTimeUs?: number): boolean {
    this.nowMs += 30_000;
    const times = bootTimeUs === undefined ? {} : { bootTimeUs };
    return this.ids.announced({ ...hostOf(host, [0]), name, bootId, ...times }, HEARD_MS + this.nowMs);
  }

  names(): unknown[] {
    return this.events.map(({ event }) => event);
  }
}

describe("HostIds", () => {
  it("says nothing of a host that announces itself again and again, and that boots", () => {
    const fleet = new Fleet();
    for (const boot of [BOOT, BOOT, OTHER_BOOT, OTHER_BOOT])
      expect(fleet.announce("h1", "a", boot)).toBe(true);
    expect(fleet.events).toEqual([]);
    expect(fleet.ids.conflicts().size).toBe(0);
  });

  it("names a host that was renamed, once", () => {
    const fleet = new Fleet();
    for (const name of ["a", "b", "b"]) fleet.announce("h1", name);
    expect(fleet.events).toEqual([{ event: "host-renamed", host: "h1", from: "a", to: "b" }]);
    // Its old name is free now.
    fleet.announce("h2", "a");
    expect(fleet.names()).toEqual(["host-renamed"]);
  });

  it("names a host that was reinstalled: an old name with a new id", () => {
    const fleet = new Fleet();
    fleet.announce("old", "a");
    for (let i = 0; i < 3; i++) fleet.announce("new", "a");
    expect(fleet.events).toEqual([{ event: "host-name-taken", host: "new", name: "a", other: "old" }]);
  });

  it("knows two machines by their announcements that take turns", () => {
    const fleet = new Fleet();
    fleet.announce("h1", "a", BOOT);
    fleet.announce("h1", "b", OTHER_BOOT);
    expect(fleet.ids.of("h1")).toBeUndefined();
    fleet.announce("h1", "a", BOOT);
    fleet.announce("h1", "b", OTHER_BOOT);
    expect(fleet.ids.of("h1")).toEqual({ names: ["a", "b"] });
    expect(fleet.names().filter((name) => name === "host-id-conflict")).toHaveLength(1);
  });

  it("knows the second machine at its first announcement by its uptime, and a host that booted by the same", () => {
    const fleet = new Fleet();
    fleet.announce("h1", "a", BOOT, HOUR_US);
    expect(fleet.announce("h1", "b", OTHER_BOOT, HOUR_US)).toBe(false);
    expect(fleet.ids.of("h1")).toEqual({ names: ["a", "b"], kept: BOOT, refused: OTHER_BOOT });
    expect(fleet.names()).toEqual(["host-id-conflict"]);
    fleet.announce("h2", "c", BOOT, HOUR_US);
    expect(fleet.announce("h2", "c", OTHER_BOOT, 20_000_000)).toBe(true);
    expect(fleet.ids.of("h2")).toBeUndefined();
  });

  it("lets the second machine have the id when the first one is silent", () => {
    const fleet = new Fleet();
    fleet.announce("h1", "a", BOOT, HOUR_US);
    expect(fleet.announce("h1", "b", OTHER_BOOT, HOUR_US)).toBe(false);
    fleet.nowMs += 300_000;
    expect(fleet.announce("h1", "b", OTHER_BOOT, HOUR_US)).toBe(true);
    expect(fleet.ids.of("h1")).toBeUndefined();
  });

  it("believes the machine that is governed, and not the one that is refused", () => {
    const fleet = new Fleet();
    fleet.announce("h1", "a", BOOT);
    fleet.ids.duplicate(new DuplicateHostError("h1", BOOT, OTHER_BOOT));
    expect(fleet.announce("h1", "b", OTHER_BOOT)).toBe(false);
    expect(fleet.announce("h1", "a", BOOT)).toBe(true);
    expect(fleet.ids.of("h1")).toEqual({ names: ["a", "b"], kept: BOOT, refused: OTHER_BOOT });
  });

  it("ends a conflict that is not seen any more, with its metric", async () => {
    const fleet = new Fleet();
    const registry = new Registry();
    exposeConflicts(registry, fleet.ids);
    fleet.ids.duplicate(new DuplicateHostError("h1", BOOT, OTHER_BOOT));
    expect(await registry.metrics()).toContain('kvmgov_host_id_conflict{host="h1"} 1');
    fleet.nowMs += 300_000;
    expect(await registry.metrics()).not.toContain("kvmgov_host_id_conflict{");
    expect(fleet.announce("h1", "b", OTHER_BOOT)).toBe(true);
  });
});
