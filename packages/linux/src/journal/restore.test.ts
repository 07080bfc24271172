import { expect, it } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSleepingGuest } from "../../../../test/support/sleeping-guest.ts";
import type { Guest } from "../guests/guest.ts";
import { readBootId } from "../host/facts.ts";
import { HoldingMark } from "./holding-mark.ts";
import { Journal, journalFile } from "./journal.ts";
import { isJournalWhole, restore } from "./restore.ts";

/** Directories of an actuator that is gone and held some guests, and running guests with a configuration that asks for nothing. */
class Scene implements AsyncDisposable {
  readonly stateDir = mkdtempSync(join(tmpdir(), "kvmgov-lost-"));
  readonly runDir = join(this.stateDir, "run");
  readonly #sleepers = [1, 2, 3].map(startSleepingGuest);
  readonly guests: readonly Guest[] = this.#sleepers.map(({ guest }) => ({
    ...guest,
    configured: { vcpuPins: new Map(), ioThreadPins: new Map() },
  }));

  /** What an actuator leaves that is killed while it holds these guests. */
  hold(guests: readonly Guest[]): void {
    const journal = new Journal(this.stateDir, Date.now);
    journal.attach(new HoldingMark(this.runDir, readBootId()));
    for (const { uuid, name, pid, startTime } of guests) {
      const guest = { uuid, name, pid, startTime };
      journal.keep({ bootId: readBootId(), guest, mountPoints: [], files: [], threads: [] });
    }
    journal.dispose();
  }

  get isWhole(): boolean {
    return isJournalWhole(this, readBootId());
  }

  /** Names of the guests that are restored, and whether first values were lost. */
  async restore(guests = this.guests): Promise<[string[], boolean]> {
    const { stateDir, runDir } = this;
    const report = await restore({ stateDir, runDir, guests: () => guests });
    expect(report.guests.map(({ outcome }) => outcome)).not.toContain("failed");
    return [report.guests.map(({ guest }) => guest.name).toSorted(), report.lost];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sleeper of this.#sleepers) await sleeper[Symbol.asyncDispose]();
    rmSync(this.stateDir, { recursive: true });
  }
}

it("gives back from configuration what was held, and nothing else, where the journal is gone", async () => {
  await using scene = new Scene();
  scene.hold(scene.guests.slice(0, 2));
  expect(scene.isWhole).toBe(true);
  rmSync(journalFile(scene.stateDir));
  expect(scene.isWhole).toBe(false);
  expect(await scene.restore()).toEqual([["sleeper-1", "sleeper-2"], true]);
  expect(await scene.restore()).toEqual([[], false]);
});

it.each([
  ["damaged", (line: string) => line.replace("sleeper", "slept")],
  ["missing", () => ""],
])("does so for the one guest the first values of which are %s", async (_what, change) => {
  await using scene = new Scene();
  scene.hold(scene.guests.slice(0, 2));
  const file = journalFile(scene.stateDir);
  const [first = "", second = ""] = readFileSync(file, "utf8").split(/(?<=\n)/);
  writeFileSync(file, `${change(first)}${second}`);
  expect(scene.isWhole).toBe(false);
  expect(await scene.restore()).toEqual([["sleeper-1", "sleeper-2"], true]);
  expect(await scene.restore()).toEqual([[], false]);
});

it("leaves a guest alone that was held before it restarted", async () => {
  await using scene = new Scene();
  const [held, ...others] = scene.guests as [Guest, ...Guest[]];
  scene.hold([{ ...held, startTime: held.startTime - 1 }]);
  rmSync(journalFile(scene.stateDir));
  expect(await scene.restore([held, ...others])).toEqual([[], true]);
});
