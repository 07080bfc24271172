/** Every write of a plan and of the way back is refused in turn, those through systemd and the moves of threads too. */
import { describe, expect, it } from "@jest/globals";
import type { GuestPlan } from "@kvm-governor/policy";
import { executeWrites, readBack, type WriteResult } from "./execute.ts";
import { readValues } from "./kernel-io.ts";
import { boundKeys, settableKeys, type GuestPlaces } from "./places.ts";
import { planWrites } from "./plan-writes.ts";
import { restoreWrites, type BaselineValue } from "./restore-writes.ts";
import { MODEL_KINDS, type Harness } from "./testing/harness.ts";
import type { KernelModel } from "./testing/kernel-model.ts";
import type { Setting, Values, Write } from "./write.ts";

const PLAN: Pick<GuestPlan, "vcpus" | "weight" | "emulatorCpus" | "ioThreadCpus" | "periodUs"> = {
  vcpus: [0, 1].map((index) => ({ index, bandwidth: 0.3 + index / 5, cpus: [index] })),
  weight: "idle",
  emulatorCpus: [2],
  ioThreadCpus: "baseline",
  periodUs: 20_000,
};

const SETTINGS: [RegExp, Setting][] = [
  [/cpuset\.cpus$/, "cpus"],
  [/cpu\.idle$/, "idle"],
  [/cpu\.(shares|weight)$/, "weight"],
  [/./, "bandwidth"],
];

class Scene {
  readonly model: KernelModel;
  readonly places: GuestPlaces;
  readonly first: Values;
  readonly #version: 1 | 2;
  /** Number of the write that is refused; none where there are fewer. */
  #failing = Infinity;
  #made = 0;
  refused: Write | undefined;
  /** Kinds of writes that were asked for. */
  readonly ops = new Set<Write["op"]>();

  constructor(harness: Harness, unit: string | undefined) {
    this.model = harness.io as KernelModel;
    const { weight, ...places } = harness.places;
    this.places = {
      ...places,
      ...(weight && { weight: { ...weight, ...(unit !== undefined && { unit }) } }),
    };
    this.#version = harness.version;
    this.first = this.values();
    const write = this.model.write.bind(this.model);
    this.model.write = (one) => {
      this.ops.add(one.op);
      if (this.#made++ === this.#failing) {
        this.refused = one;
        throw Object.assign(new Error("refused"), { code: "EBUSY" });
      }
      write(one);
    };
  }

  values(): Values {
    return readValues(this.model, settableKeys(this.places));
  }

  /** Threads by group. */
  members(): Record<string, number[]> {
    return Object.fromEntries(
      [...this.model.groups].map(([dir, { tids }]) => [dir, tids.toSorted((a, b) => a - b)]),
    );
  }

  /** @returns codes of what failed */
  async hold(failing = Infinity): Promise<string[]> {
    const { places, first: baseline } = this;
    const values = readValues(this.model, [...settableKeys(places), ...boundKeys(places)]);
    const limits = { floorCores: 0.05 };
    return this.#execute(planWrites({ plan: PLAN, places, values, baseline, limits }).writes, failing);
  }

  /** @returns codes of what failed */
  async giveBack(failing = Infinity): Promise<string[]> {
    const unit = this.places.weight?.unit;
    const baseline = [...this.first].map(([key, text]): BaselineValue => {
      const setting = SETTINGS.find(([pattern]) => pattern.test(key))?.[1] ?? "bandwidth";
      const common = {
        key,
        version: this.#version,
        target: key.split("/").slice(0, -1).join("/"),
        setting,
        text,
      };
      const isWeight = setting === "idle" || setting === "weight";
      return { ...common, ...(unit !== undefined && isWeight && { unit }) };
    });
    const threadsOf = (dir: string): number[] => this.model.groups.get(dir)?.tids ?? [];
    const values = readValues(this.model, [...settableKeys(this.places), ...boundKeys(this.places)]);
    return this.#execute(restoreWrites({ baseline, values, threadsOf }), failing);
  }

  async #execute(writes: readonly Write[], failing: number): Promise<string[]> {
    this.#made = 0;
    this.#failing = failing;
    const results: WriteResult[] = readBack(await executeWrites(writes, this.model), this.model);
    this.#failing = Infinity;
    return results.flatMap(({ code }) => code ?? []);
  }

  /** Writes that were asked for last. */
  get made(): number {
    return this.#made;
  }
}

const KINDS = MODEL_KINDS.flatMap((kind) =>
  kind.version === 2
    ? [
        { ...kind, unit: undefined },
        { ...kind, name: `${kind.name} under systemd`, unit: "machine-qemu.scope" },
      ]
    : [{ ...kind, unit: undefined }],
);

describe.each(KINDS)("a write that is refused on the $name", ({ start, unit, version }) => {
  const scene = async (): Promise<Scene> => new Scene(await start(), unit);

  it("is named, moves no thread for good, and is made the next time", async () => {
    const whole = await scene();
    const members = whole.members();
    expect(await whole.hold()).toEqual([]);
    const [held, writes] = [whole.values(), whole.made];
    expect(await whole.giveBack()).toEqual([]);
    const back = whole.made;
    expect(whole.values()).toEqual(whole.first);
    expect(writes).toBeGreaterThan(5);
    expect([whole.ops.has("move"), whole.ops.has("unit")]).toEqual([version === 2, unit !== undefined]);
    for (let at = 0; at < writes; at++) {
      const one = await scene();
      expect(await one.hold(at)).toContain("EBUSY");
      expect(one.members()).toEqual(members);
      expect(await one.hold()).toEqual([]);
      expect(one.values()).toEqual(held);
    }
    for (let at = 0; at < back; at++) {
      const one = await scene();
      await one.hold();
      expect(await one.giveBack(at)).toContain("EBUSY");
      // A thread that cannot go back to its group stays out of it: restoring from the journal looks for those.
      const isReturn = one.refused?.op === "move" && one.refused.back === true;
      if (!isReturn) expect(one.members()).toEqual(members);
      await one.giveBack();
      expect(one.values()).toEqual(one.first);
    }
  });

  it("leaves all else as it was to be", async () => {
    const one = await scene();
    await one.hold();
    const held = one.values();
    const other = await scene();
    const weightAt = await lastOf(scene);
    expect(await other.hold(weightAt)).toEqual(["EBUSY"]);
    const different = [...held].flatMap(([key, text]) => (other.values().get(key) === text ? [] : key));
    expect(different.every((key) => /cpu\.(idle|weight|shares)$/.test(key))).toBe(true);
    expect(different.length).toBeGreaterThan(0);
  });
});

/** Number of the last write of a plan: the weight comes last. */
async function lastOf(scene: () => Promise<Scene>): Promise<number> {
  const one = await scene();
  await one.hold();
  return one.made - 1;
}
