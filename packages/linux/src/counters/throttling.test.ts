import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { Guest } from "../guests/guest.ts";
import type { Locate } from "./guest-counters.ts";
import { FakeHost, fakeGuest } from "./testing/fake-host.ts";

const auto = () => ({ class: "auto" as const });

/** A guest whose only vCPU has a group, once it is there; `looks` counts how often it was looked for. */
class Group {
  readonly dir: string;
  isThere = true;
  looks = 0;
  constructor(host: FakeHost) {
    this.dir = join(host.root, "vcpu0");
  }
  locate: Locate = () => {
    this.looks++;
    if (!this.isThere) return undefined;
    const vcpus = new Map([[0, this.dir]]);
    return { cpu: { version: 2, mountPoint: this.dir, vcpus, ioThreads: new Map() } };
  };
  write(periods: number, throttledUs: number): void {
    mkdirSync(this.dir, { recursive: true });
    const text = `usage_usec 1\nnr_periods ${periods}\nnr_throttled ${periods}\nthrottled_usec ${throttledUs}\n`;
    writeFileSync(join(this.dir, "cpu.stat"), text);
  }
}

/** Ticks once a second; the vCPU runs a little in each, so that nothing is spared a read. */
function ticking(
  host: FakeHost,
  group: Group,
  guest: Guest,
): { tick: () => number | undefined; total: () => number } {
  const { sampler, guests } = host.sampler(host.context(), group.locate);
  let runNs = 0;
  const tick = (): number | undefined => {
    host.setThread(guest.pid, guest.pid + 1, { runNs: (runNs += 1000) });
    host.nowMs += 1000;
    return sampler.tick({ guests: [guest], unreadable: [] }, auto).sample?.guests[0]?.vcpus[0]?.throttled;
  };
  return { tick, total: () => guests.last.readable[0]?.vcpus[0]?.throttledNs.value ?? NaN };
}

describe("throttling", () => {
  it("is the time since the last tick, and absent until there is a quota", () => {
    using host = new FakeHost();
    const [group, guest] = [new Group(host), fakeGuest({ pid: 10, emulatorTids: [] })];
    group.write(0, 0);
    const { tick } = ticking(host, group, guest);
    expect([tick(), tick()]).toEqual([undefined, undefined]);
    group.write(10, 750_000);
    expect([tick(), tick()]).toEqual([0.75, 0]);
  });

  it("does not take the history of a group that is found late for this period's", () => {
    using host = new FakeHost();
    const [group, guest] = [new Group(host), fakeGuest({ pid: 10, emulatorTids: [] })];
    group.write(1000, 60_000_000);
    group.isThere = false;
    const { tick, total } = ticking(host, group, guest);
    tick();
    tick();
    group.isThere = true;
    tick();
    group.write(1005, 60_250_000);
    expect([tick(), total()]).toEqual([0.25, 60.25e9]);
  });

  it("looks for a missing group less and less often, and no more once it was found", () => {
    using host = new FakeHost();
    const [group, guest] = [new Group(host), fakeGuest({ pid: 10, emulatorTids: [] })];
    group.isThere = false;
    const { tick } = ticking(host, group, guest);
    for (let n = 0; n < 60; n++) tick();
    expect(group.looks).toBe(6);
    group.isThere = true;
    group.write(1, 0);
    for (let n = 0; n < 100; n++) tick();
    expect(group.looks).toBe(7);
  });

  it("goes on looking after a look that failed", () => {
    using host = new FakeHost();
    const [group, guest] = [new Group(host), fakeGuest({ pid: 10, emulatorTids: [] })];
    group.write(1, 250_000);
    let fails = true;
    const flaky = Object.assign(group, {
      locate: (of: Guest) => {
        if (fails) throw new Error("no access");
        return new Group(host).locate(of);
      },
    });
    const { tick, total } = ticking(host, flaky, guest);
    tick();
    fails = false;
    for (let n = 0; n < 3; n++) tick();
    expect(total()).toBe(0.25e9);
  });

  it("keeps its total when the group is made anew, and finds the new one", () => {
    using host = new FakeHost();
    const [group, guest] = [new Group(host), fakeGuest({ pid: 10, emulatorTids: [] })];
    group.write(10, 500_000);
    const { tick, total } = ticking(host, group, guest);
    tick();
    rmSync(group.dir, { recursive: true });
    tick();
    group.write(2, 100_000);
    tick();
    tick();
    expect(total()).toBe(0.6e9);
  });
});
