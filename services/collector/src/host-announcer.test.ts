import { describe, expect, it } from "@jest/globals";
import type { Host } from "@kvm-governor/policy";
import { HostAnnouncer, type HostBus } from "./host-announcer.ts";

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function announcing() {
  const state = { now: 0, up: true, fails: false, cpus: 1, sent: [] as number[], failures: 0 };
  let onUp = (): void => undefined;
  const bus: HostBus = {
    get up() {
      return state.up;
    },
    publish: async (_kind, _host, value) => {
      state.sent.push((value as { cpus: number }).cpus);
      if (state.fails) throw new Error("no stream");
    },
    onUp: (listener) => ((onUp = listener), () => undefined),
  };
  const announcer = new HostAnnouncer({
    bus,
    describe: () => ({ host: "h", cpus: state.cpus }) as unknown as Host,
    heartbeatMs: 30_000,
    nowMs: () => state.now,
    onFailed: () => state.failures++,
  });
  return { state, announcer, comeUp: () => onUp() };
}

describe("HostAnnouncer", () => {
  it("announces at the first tick, on change, and as a heartbeat, not in between", async () => {
    const { state, announcer } = announcing();
    for (const [now, isChanged] of [
      [0, false],
      [1000, false],
      [2000, true],
      [31_000, false],
      [32_000, false],
    ] as const) {
      Object.assign(state, { now, cpus: now });
      announcer.tick(isChanged);
      await settled();
    }
    expect(state.sent).toEqual([0, 2000, 32_000]);
  });

  it("announces after each connect", async () => {
    const { state, announcer, comeUp } = announcing();
    state.up = false;
    announcer.tick(true);
    state.up = true;
    comeUp();
    await settled();
    expect(state.sent).toHaveLength(1);
  });

  it("tries again at the next tick after a failure", async () => {
    const { state, announcer } = announcing();
    state.fails = true;
    announcer.tick(false);
    await settled();
    state.fails = false;
    announcer.tick(false);
    await settled();
    announcer.tick(false);
    expect([state.sent.length, state.failures]).toEqual([2, 1]);
  });

  it("does not lose a change that comes while an announcement is on its way", async () => {
    const { state, announcer } = announcing();
    announcer.tick(false);
    state.cpus = 2;
    announcer.tick(true);
    await settled();
    expect(state.sent).toEqual([1, 2]);
  });
});
