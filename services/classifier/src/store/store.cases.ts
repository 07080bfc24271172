/** What every store does: one list of cases, run over each implementation. */
import { describe, expect, it } from "@jest/globals";
import type { GuestState, HostState, Plan, Reason } from "@kvm-governor/policy";
import { BOOT, uuidOf } from "../testing/samples.ts";
import { NASTY_NAME, guestState, hostState } from "../testing/states.ts";
import type { Store, StoredHost } from "./store.ts";

const first = uuidOf(1);
const second = uuidOf(2);

/** Commits that must not meet a conflict. */
export async function mustCommit(
  store: Store,
  host: string,
  base: StoredHost,
  next: Parameters<Store["commit"]>[2],
): Promise<StoredHost> {
  const result = await store.commit(host, base, next);
  if (result.kind !== "committed") throw new Error(`commit on ${host} met a conflict`);
  return result.stored;
}

/** A plan of one guest, that expires a second after its sample. */
function planOf(sequence: number, count: number, reasons: Reason[]): Plan {
  const { name, class: kind, since } = guestState();
  const rest = { weight: "baseline", emulatorCpus: "baseline", ioThreadCpus: "baseline", reasons } as const;
  const vcpus = [{ index: 0, bandwidth: "baseline" as const, cpus: "baseline" as const }];
  const guest = {
    uuid: first,
    name,
    pid: 1,
    startTime: 1,
    class: kind,
    count,
    since,
    vcpus,
    ...rest,
    reasons,
  };
  return {
    schema: 1,
    host: "any",
    bootId: BOOT,
    generation: 1,
    sequence,
    expiresAtUs: sequence + 1_000_000,
    preset: "default",
    guests: [guest],
  };
}

/** @param open a store that is empty for the hosts of one test */
export function describeStore(name: string, open: () => Store): void {
  describe(`${name}: a store of lists and counts`, () => {
    let host = "";
    let tests = 0;
    const fresh = (): Store => {
      host = `case-${name}-${tests++}`;
      return open();
    };

    it("knows nothing of a host that it never saw", async () => {
      const store = fresh();
      expect(await store.read(host)).toEqual({ version: 0, token: "", state: undefined, uuids: [] });
      expect(await store.lists(host)).toEqual({ service: [], scientific: [] });
      expect(await store.hosts()).not.toContain(host);
    });

    it("returns what was committed, names and fractions included", async () => {
      const store = fresh();
      const state = hostState(7, {
        [first]: guestState({ name: NASTY_NAME, usage: 0.1 + 0.2, count: 3 }),
        [second]: guestState({ class: "scientific", declared: "scientific", since: 2 ** 53 - 1 }),
      });
      const stored = await mustCommit(store, host, await store.read(host), state);
      expect(await store.read(host)).toEqual(stored);
      expect(stored).toMatchObject({ version: 1, token: "1:7", state });
      expect(await store.lists(host)).toEqual({ service: [first], scientific: [second] });
      expect(await store.hosts()).toContain(host);
    });

    it("moves a guest from list to list, and forgets one that departed", async () => {
      const store = fresh();
      const before = hostState(1, { [first]: guestState(), [second]: guestState() });
      const base = await mustCommit(store, host, await store.read(host), before);
      const after = hostState(2, { [first]: guestState({ class: "scientific", since: 2 }) });
      await mustCommit(store, host, base, after);
      expect(await store.lists(host)).toEqual({ service: [], scientific: [first] });
      expect((await store.read(host)).state).toEqual(after);
    });

    it.each<Partial<GuestState>>([
      { name: "renamed" },
      { class: "scientific" },
      { count: 1 },
      { since: 2 },
      { declared: "service" },
      { usage: 0.5 },
      { delay: { rung: 5, calm: 7, debt: 0, patience: 200, failed: 6 } },
    ])("writes a guest of which only this changed: %j", async (change) => {
      const store = fresh();
      const before = hostState(1, { [first]: guestState() });
      const base = await mustCommit(store, host, await store.read(host), before);
      const after = hostState(2, { [first]: guestState(change) });
      await mustCommit(store, host, base, after);
      expect((await store.read(host)).state).toEqual(after);
    });

    it("follows what is remembered of a declared delay, and forgets it with the declaration", async () => {
      const store = fresh();
      const delay = { rung: 3, calm: 1, debt: 100, patience: 100 };
      let base = await store.read(host);
      for (const [sequence, each] of [
        { ...delay },
        { ...delay },
        { ...delay, calm: 2, debt: 99 },
        { ...delay, calm: 0, failed: 4 },
        undefined,
      ].entries()) {
        const guest = guestState({
          usage: sequence / 10,
          ...(each === undefined ? {} : { delay: each }),
        });
        const next = hostState(sequence + 1, { [first]: guest });
        base = await mustCommit(store, host, base, next);
        expect((await store.read(host)).state).toEqual(next);
      }
    });

    it("returns the plan as it was published last, also where only its time and counts changed", async () => {
      const store = fresh();
      const reasons = [{ code: "known", text: "as before" }];
      const stateAt = (sequence: number, count: number): HostState => {
        const guests = { [first]: guestState({ count }) };
        return hostState(sequence, guests, { plan: planOf(sequence, count, reasons) });
      };
      let base = await mustCommit(store, host, await store.read(host), stateAt(1, 0));
      for (const [sequence, count] of [
        [2, 0],
        [3, 1],
        [4, 2],
      ] as const) {
        const next = stateAt(sequence, count);
        base = await mustCommit(store, host, base, next);
        expect((await store.read(host)).state).toEqual(next);
      }
      const renamed = stateAt(5, 2);
      for (const guest of renamed.plan?.guests ?? []) guest.name = "renamed";
      await mustCommit(store, host, base, renamed);
      expect((await store.read(host)).state).toEqual(renamed);
    });

    it("refuses what was decided from an older state, and then nothing has changed", async () => {
      const store = fresh();
      const base = await mustCommit(
        store,
        host,
        await store.read(host),
        hostState(1, { [first]: guestState() }),
      );
      const winner = hostState(2, { [first]: guestState({ count: 1 }) });
      await mustCommit(store, host, base, winner);
      const loser = hostState(2, { [first]: guestState({ class: "scientific" }), [second]: guestState() });
      expect(await store.commit(host, base, loser)).toEqual({ kind: "conflict" });
      expect((await store.read(host)).state).toEqual(winner);
      expect(await store.lists(host)).toEqual({ service: [first], scientific: [] });
    });

    it("takes the same commit once", async () => {
      const store = fresh();
      const base = await store.read(host);
      const next = hostState(1, { [first]: guestState({ count: 1 }) });
      const results = await Promise.all([1, 2, 3].map(() => store.commit(host, base, next)));
      expect(results.filter(({ kind }) => kind === "committed")).toHaveLength(1);
      expect((await store.read(host)).version).toBe(1);
    });

    it("refuses the same version of another history", async () => {
      const store = fresh();
      const here = await mustCommit(
        store,
        host,
        await store.read(host),
        hostState(1, { [first]: guestState() }),
      );
      const elsewhere = { ...here, token: "1:999" };
      expect(await store.commit(host, elsewhere, hostState(2, {}))).toEqual({ kind: "conflict" });
    });

    it("remembers when a host was heard, also where a commit does not say", async () => {
      const store = fresh();
      const state = hostState(1, { [first]: guestState() });
      const result = await store.commit(host, await store.read(host), state, {
        heardAtMs: 1_800_000_000_123,
      });
      expect(result).toMatchObject({ kind: "committed", stored: { heardAtMs: 1_800_000_000_123 } });
      expect((await store.read(host)).heardAtMs).toBe(1_800_000_000_123);
      expect(await store.heardAt(["case-nobody", host])).toEqual([undefined, 1_800_000_000_123]);
      await mustCommit(store, host, await store.read(host), { ...state, sequence: 2 });
      expect((await store.read(host)).heardAtMs).toBe(1_800_000_000_123);
    });

    it("forgets a host, unless it was heard meanwhile", async () => {
      const store = fresh();
      const state = hostState(1, { [first]: guestState(), [second]: guestState({ class: "scientific" }) });
      const base = await mustCommit(store, host, await store.read(host), state);
      const newer = await mustCommit(store, host, base, { ...state, sequence: 2 });
      expect(await store.forget(host, base)).toBe(false);
      expect(await store.read(host)).toEqual(newer);
      expect(await store.forget(host, newer)).toBe(true);
      expect(await store.forget(host, newer)).toBe(false);
      expect(await store.read(host)).toEqual({ version: 0, token: "", state: undefined, uuids: [] });
      expect(await store.hosts()).not.toContain(host);
      await mustCommit(store, host, await store.read(host), state);
      expect(await store.hosts()).toContain(host);
    });

    it("keeps hosts apart", async () => {
      const store = fresh();
      await mustCommit(store, host, await store.read(host), hostState(1, { [first]: guestState() }));
      const other = `${host}-other`;
      await mustCommit(store, other, await store.read(other), hostState(1, { [second]: guestState() }));
      expect(await store.lists(host)).toEqual({ service: [first], scientific: [] });
      expect(await store.lists(other)).toEqual({ service: [second], scientific: [] });
    });
  });
}
