/** The whole actuator, on processes that pass for guests and a kernel in memory: that it gives everything back, whatever fails beside it. */
import { expect, it } from "@jest/globals";
import { readJournalEntries } from "@kvm-governor/linux";
import type { Plan } from "@kvm-governor/policy";
import { createLogger, type Logger } from "@kvm-governor/service-kit";
import { FailingFiles } from "../../../test/support/linux-testing.ts";
import { RESTING_TURN_MS, TURN_MS } from "./turn-time.ts";
import { AffinityIo } from "../../../test/support/affinity-io.ts";
import { InProcessActuator } from "../../../test/support/in-process-actuator.ts";
import { onCpu0, startSleepingGuest } from "../../../test/support/sleeping-guest.ts";

/** Longer than a plan holds, in milliseconds. */
const TTL_MS = 61_000;

it("gives guests back when the plan expires, although the journal cannot say that another one has ended", async () => {
  await using stays = startSleepingGuest(1);
  await using ends = startSleepingGuest(2);
  const guests = [stays.guest, ends.guest];
  const io = new AffinityIo();
  const files = new FailingFiles();
  await using bench = new InProcessActuator({ guests: () => guests, io, journalFiles: files });
  await bench.apply(bench.plan(guests.map(onCpu0)));
  expect(guests.map(({ pid }) => io.affinity(pid))).toEqual(["0", "0"]);
  await ends.end();
  guests.pop();
  files.fails = () => "EROFS";
  bench.skip(TTL_MS);
  await bench.actuator.turn();
  expect(io.affinity(stays.guest.pid)).toBe("0-1");
  // What the journal could not be told is told when it can be written again.
  expect(bench.actuator.guestsHeld).toBe(2);
  files.fails = () => undefined;
  bench.skip(250);
  await bench.actuator.turn();
  expect(bench.actuator.guestsHeld).toBe(0);
  expect(readJournalEntries(bench.dir)).toEqual([]);
});

it("forgets each guest that has ended, although the journal refuses one", async () => {
  await using one = startSleepingGuest(1);
  await using other = startSleepingGuest(2);
  const guests = [one.guest, other.guest];
  const files = new FailingFiles();
  await using bench = new InProcessActuator({
    guests: () => guests,
    io: new AffinityIo(),
    journalFiles: files,
  });
  await bench.apply(bench.plan(guests.map(onCpu0)));
  for (const ended of [one, other]) await ended.end();
  const first = files.asked.length;
  files.fails = (_, at) => (at === first ? "EIO" : undefined);
  await bench.actuator.turn();
  expect(bench.actuator.guestsHeld).toBe(1);
  await bench.actuator.turn();
  expect(bench.actuator.guestsHeld).toBe(0);
});

it("rests while its plan holds for long, and beats four times a second before it is void, and after", async () => {
  await using sleeper = startSleepingGuest(1);
  await using bench = new InProcessActuator({ guests: () => [sleeper.guest], io: new AffinityIo() });
  const { actuator } = bench;
  expect(actuator.turnMs).toBe(TURN_MS);
  await bench.apply(bench.plan([onCpu0(sleeper.guest)]));
  expect(actuator.turnMs).toBe(RESTING_TURN_MS);
  // 2.5 s are left: it must not rest for longer than half a second.
  bench.skip(57_500);
  expect(actuator.turnMs).toBeGreaterThan(TURN_MS);
  expect(actuator.turnMs).toBeLessThanOrEqual(500);
  bench.skip(500);
  expect(actuator.turnMs).toBe(TURN_MS);
  bench.skip(3000);
  expect(actuator.turnMs).toBe(TURN_MS);
  await actuator.turn();
  expect([actuator.guestsHeld, actuator.turnMs]).toEqual([0, TURN_MS]);
});

it("makes more turns than four a second under a plan that holds for less than one", async () => {
  await using bench = new InProcessActuator({ guests: () => [], io: new AffinityIo() });
  const plan = bench.plan([]);
  await bench.apply({ ...plan, expiresAtUs: plan.sequence + 400_000 });
  expect(bench.actuator.turnMs).toBe(100);
});

it("sees what changed, however long nothing did before", async () => {
  await using sleeper = startSleepingGuest(1);
  let guests = [sleeper.guest];
  let looks = 0;
  await using bench = new InProcessActuator({ guests: () => (looks++, guests), io: new AffinityIo() });
  await bench.apply(bench.plan([onCpu0(sleeper.guest)]));
  for (let turns = 0; turns < 3; turns++) await bench.actuator.turn();
  expect(looks).toBe(4);
  guests = [];
  await bench.actuator.turn();
  expect((await bench.apply(bench.plan([onCpu0(sleeper.guest)]))).skipped).toHaveLength(1);
});

it("tries less and less often what it cannot give back, and at once when it stops", async () => {
  await using sleeper = startSleepingGuest(1);
  const io = new AffinityIo();
  await using bench = new InProcessActuator({ guests: () => [sleeper.guest], io, standsStill: true });
  await bench.apply(bench.plan([onCpu0(sleeper.guest)]));
  let tries = 0;
  io.beforeWrite = () => {
    tries++;
    throw Object.assign(new Error("EPERM"), { code: "EPERM" });
  };
  bench.skip(TTL_MS);
  for (let turns = 0; turns < 10; turns++) await bench.actuator.turn();
  expect(tries).toBe(1);
  bench.skip(250);
  for (let turns = 0; turns < 10; turns++) await bench.actuator.turn();
  expect(tries).toBe(2);
  expect(await bench.actuator.stop()).toBe(false);
  expect(tries).toBe(5);
  io.beforeWrite = () => undefined;
  expect(await bench.actuator.stop()).toBe(true);
  expect(io.affinity(sleeper.guest.pid)).toBe("0-1");
});

it("is content with the CPUs that are online, also where a plan leaves a part as it was found", async () => {
  await using sleeper = startSleepingGuest(1);
  const { guest } = sleeper;
  const io = new AffinityIo();
  await using bench = new InProcessActuator({ guests: () => [guest], io, onlineCpus: "0-1" });
  const held = onCpu0(guest);
  await bench.apply(bench.plan([held]));
  io.online = [0];
  bench.setOnlineCpus("0");
  // There is no emulator thread: the vCPU is all there is to write, and it reads as it can by now.
  const vcpus = held.vcpus.map(({ index }) => ({ index, bandwidth: "baseline", cpus: "baseline" }) as const);
  const left = await bench.apply(bench.plan([{ ...held, vcpus, emulatorCpus: [0] }]));
  expect(left).toMatchObject({ writes: [], skipped: [] });
  expect(await bench.actuator.stop()).toBe(true);
});

it("writes no more of a plan when it is told to stop in the middle of it, neither to this guest nor to the next", async () => {
  await using one = startSleepingGuest(1);
  await using other = startSleepingGuest(2);
  const [index0] = one.guest.vcpus;
  // One thread as two vCPUs: two writes.
  const twice = { ...one.guest, vcpus: [0, 1].map((index) => ({ tid: index0?.tid ?? 0, index })) };
  const io = new AffinityIo();
  await using bench = new InProcessActuator({ guests: () => [twice, other.guest], io });
  let stopped: Promise<boolean> | undefined;
  io.beforeWrite = () => {
    stopped ??= bench.actuator.stop();
  };
  const vcpus = [0, 1].map((cpu) => ({ index: cpu, bandwidth: "baseline" as const, cpus: [cpu] }));
  await bench.apply(bench.plan([{ ...onCpu0(twice), vcpus }, onCpu0(other.guest)]));
  expect(await stopped).toBe(true);
  expect(io.written.map(({ key, text }) => `${key}: ${text}`)).toEqual(
    ["0", "0-1"].map((text) => `affinity ${one.guest.pid}: ${text}`),
  );
});

it("says a thing of a guest once while it is spoken about, and remembers nothing of those that nobody speaks about", async () => {
  await using sleeper = startSleepingGuest(1);
  const said: string[] = [];
  const hear = (_fields: unknown, text?: unknown): void => void said.push(String(text));
  const log = {
    ...createLogger("actuator", "silent"),
    info: hear,
    warn: hear,
    error: hear,
    debug: () => undefined,
  };
  await using bench = new InProcessActuator({ guests: () => [], io: new AffinityIo(), log: log as Logger });
  const skipped = (): number => said.filter((text) => text.includes("no such guest runs here")).length;
  const speak = async (guests: Plan["guests"]): Promise<void> => {
    await bench.apply(bench.plan(guests));
    await bench.actuator.turn();
  };
  const ghost = [onCpu0(sleeper.guest)];
  await speak(ghost);
  await speak(ghost);
  expect(skipped()).toBe(1);
  await speak([]);
  await speak(ghost);
  expect(skipped()).toBe(2);
});
