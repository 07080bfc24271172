/**
 * What every host must show, whatever its control groups: plans reach the kernel, survive what others do to it, and are taken
 * back to the byte. The same list runs on cgroup v1 and v2.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import type { Applied, GuestPlan } from "@kvm-governor/policy";
import { waitFor } from "../support/service-process.ts";
import type { CaseGuest, CaseHost, KernelState } from "./case-host.ts";
import { Plane } from "./plane.ts";

const START_MS = 600_000;
const CASE_MS = 300_000;
const JOURNAL = "journal";

type Guests = Record<"plain" | "tuned" | "pinned" | "pair", CaseGuest>;

/** What a kind of host cannot be asked for, and why. */
export interface Lacks {
  systemd?: string;
  reboot?: string;
}

export interface CaseOptions {
  lacks?: Lacks;
  /** How long the host may take to start, in milliseconds. */
  startMs?: number;
}

/** Tests of one host, which is started before the first and stopped after the last. */
export function actuatorCases(
  name: string,
  startHost: () => Promise<CaseHost>,
  { lacks = {}, startMs = START_MS }: CaseOptions = {},
): void {
  describe(name, () => {
    let host: CaseHost;
    let plane: Plane;
    let guests: Guests;
    let untouched: KernelState;

    const all = (): CaseGuest[] => Object.values(guests);
    const state = (): Promise<KernelState> => host.kernelState(all());
    const heldAll = (): GuestPlan[] => all().map(heldPlan);

    beforeAll(async () => {
      host = await startHost();
      plane = await Plane.start();
      guests = await startGuests(host);
      untouched = await state();
    }, startMs);

    afterAll(async () => {
      await plane?.[Symbol.asyncDispose]();
      await host?.stop();
    }, START_MS);

    const it = (what: string, body: () => Promise<void>, lack?: string): void => {
      if (lack === undefined) test(what, body, CASE_MS);
      else test.skip(`${what} — skipped: ${lack}`, body);
    };

    it("a plan is applied and read back, a renewal writes nothing, the end gives every byte back", async () => {
      await using governed = plane.on(host);
      const actuator = await governed.service("actuator");
      const plan = await governed.plan(heldAll());
      const report = await governed.follow(plan);
      expect(errorsOf(report)).toEqual([]);
      expect(report.skipped).toEqual([]);
      expect(report.verified).toBeGreaterThan(20);
      const held = await state();
      expect(heldValues(host, held)).toEqual(HELD[host.cgroupVersion]);
      const renewed = await governed.follow(await governed.renewed(plan));
      expect([renewed.writes, renewed.drift]).toEqual([[], []]);
      expect(changes(held, await state())).toEqual([]);
      expect(await actuator.stop()).toBe(0);
      expect(changes(untouched, await state())).toEqual([]);
      expect(await host.hasState(governed.id, JOURNAL)).toBe(false);
    });

    it("a weight is applied, then idle, then the guest is as it was", async () => {
      await using governed = plane.on(host);
      await governed.service("actuator");
      const follow = async (weight: GuestPlan["weight"]): Promise<Applied> =>
        governed.follow(
          await governed.plan([guests.plain, guests.tuned].map((g) => ({ ...asFound(g), weight }))),
        );
      expect(errorsOf(await follow(3))).toEqual([]);
      expect(errorsOf(await follow("idle"))).toEqual([]);
      expect(errorsOf(await follow(0.25))).toEqual([]);
      const quarter = host.cgroupVersion === 1 ? "256\n" : "25\n";
      const weights = Object.entries(await state()).filter(([, text]) => text === quarter);
      expect(weights).toHaveLength(2);
      expect(errorsOf(await follow("baseline"))).toEqual([]);
      expect(changes(untouched, await state())).toEqual([]);
    });

    it("a quota is what the kernel lets a busy vCPU have", async () => {
      await using governed = plane.on(host);
      await governed.service("actuator"); // first: little else gets CPU beside a guest that spins
      const busy = await host.defineAndStart({ name: "busy", spin: true });
      try {
        expect(await shareOf(host, busy, 1000)).toBeGreaterThan(0.25);
        const plan = { ...asFound(busy), vcpus: [{ index: 0, bandwidth: 0.15, cpus: "baseline" as const }] };
        expect(errorsOf(await governed.follow(await governed.plan([plan])))).toEqual([]);
        const share = await shareOf(host, busy, 2000);
        expect(share).toBeGreaterThan(0.05);
        expect(share).toBeLessThan(0.18);
      } finally {
        await host.destroy("busy");
      }
    });

    it("what libvirt is told meanwhile is drift, is written over, and is what the guest goes back to", async () => {
      await using governed = plane.on(host);
      const changed = await host.defineAndStart({ name: "changed", vcpus: 2 });
      try {
        const before = await host.kernelState([changed]);
        const actuator = await governed.service("actuator");
        const plan = await governed.plan([heldPlan(changed)]);
        await governed.follow(plan);
        const held = await host.kernelState([changed]);
        await host.virsh(["schedinfo", "--live", "changed", "vcpu_quota=77000"]);
        await host.virsh(["vcpupin", "--live", "changed", "0", "1"]);
        const report = await governed.follow(await governed.renewed(plan));
        const found = report.drift.map(({ target, setting }) => `${target} ${setting}`);
        expect(found).toEqual(
          expect.arrayContaining(["vcpu 0 bandwidth", "vcpu 1 bandwidth", "vcpu 0 cpus"]),
        );
        expect(errorsOf(report)).toEqual([]);
        expect(changes(held, await host.kernelState([changed]))).toEqual([]);
        await actuator.event("baseline-changed", 5000 * host.patience);
        expect(await actuator.stop()).toBe(0);
        const left = changes(before, await host.kernelState([changed])).map((text) =>
          text.replace(/.*\//, ""),
        );
        expect(left.filter((text) => !text.startsWith("affinity") && !text.includes("effective"))).toEqual(
          expect.arrayContaining(TOLD[host.cgroupVersion]),
        );
        expect(
          left.filter((text) => !/^(cpu\.|cpuset\.cpus|affinity \d+: "0-1\\?n?" -> "1)/.test(text)),
        ).toEqual([]);
      } finally {
        await host.destroy("changed");
      }
    });

    it("a vCPU that comes is taken in, and a reset guest is the same guest", async () => {
      await using governed = plane.on(host);
      const small = await host.defineAndStart({ name: "grows", vcpusMax: 2 });
      try {
        const actuator = await governed.service("actuator");
        await governed.follow(await governed.plan([heldPlan(small)]));
        await host.virsh(["setvcpus", "--live", "grows", "2"]);
        const large = await host.find("grows");
        expect(large.vcpuTids).toHaveLength(2);
        const fresh = await host.kernelState([large]);
        const report = await governed.follow(await governed.plan([heldPlan(large)]));
        expect([errorsOf(report), report.skipped]).toEqual([[], []]);
        expect(heldVcpus(host, await host.kernelState([large]))).toBe(2);
        await host.virsh(["reset", "grows"]);
        const again = await governed.follow(await governed.plan([heldPlan(large)]));
        expect([again.writes, again.skipped]).toEqual([[], []]);
        expect(await actuator.stop()).toBe(0);
        const left = changes(fresh, await host.kernelState([large]));
        expect(left.filter((text) => /vcpu1\//.test(text))).toEqual([]);
        expect(heldVcpus(host, await host.kernelState([large]))).toBe(0);
      } finally {
        await host.destroy("grows");
      }
    });

    const reloads = async (): Promise<void> => {
      await using governed = plane.on(host);
      const actuator = await governed.service("actuator");
      const plan = await governed.plan(heldAll());
      expect(errorsOf(await governed.follow(plan))).toEqual([]);
      const held = await state();
      await host.daemonReload?.();
      expect(changes(held, await state())).toEqual([]);
      const renewed = await governed.follow(await governed.renewed(plan));
      expect([renewed.writes, renewed.drift]).toEqual([[], []]);
      expect(await actuator.stop()).toBe(0);
      expect(changes(untouched, await state())).toEqual([]);
      await host.daemonReload?.();
      expect(changes(untouched, await state())).toEqual([]);
    };
    it("systemctl daemon-reload in the middle changes nothing", reloads, lacks.systemd);

    it("without a new plan everything goes back when the plan's time is over", async () => {
      await using governed = plane.on(host);
      const actuator = await governed.service("actuator");
      const plan = await governed.plan(heldAll(), 2000 * host.patience);
      await governed.follow(plan);
      expect(changes(untouched, await state())).not.toEqual([]);
      await actuator.event("dead-mans-switch", 5000 * host.patience);
      await actuator.event("restored", 5000 * host.patience, 4);
      expect(changes(untouched, await state())).toEqual([]);
    });

    it("a killed actuator is made good by whoever stands guard, without being asked", async () => {
      await using governed = plane.on(host);
      const actuator = await governed.service("actuator", {}, { isGuarded: true });
      await governed.follow(await governed.plan(heldAll()));
      expect(changes(untouched, await state())).not.toEqual([]);
      await actuator.kill();
      expect(changes(untouched, await state())).toEqual([]);
      expect(await host.hasState(governed.id, JOURNAL)).toBe(false);
    });

    it("a killed actuator is made good by `kvmgov restore`, as often as one likes", async () => {
      await using governed = plane.on(host);
      const actuator = await governed.service("actuator");
      await governed.follow(await governed.plan(heldAll()));
      await actuator.kill();
      expect(changes(untouched, await state())).not.toEqual([]);
      const one = await governed.kvmgov("restore", "--guest", "case-tuned", "--json");
      expect(outcomes(one.stdout)).toEqual(["case-tuned restored"]);
      const tuned = await host.kernelState([guests.tuned]);
      expect(changes(part(untouched, tuned), tuned)).toEqual([]);
      const rest = await governed.kvmgov("restore", "--json");
      expect(outcomes(rest.stdout)).toEqual(
        [guests.plain, guests.pinned, guests.pair].map(({ name: guest }) => `${guest} restored`),
      );
      expect(changes(untouched, await state())).toEqual([]);
      expect((await governed.kvmgov("restore")).stdout).toContain("Nothing to restore");
    });

    it("`kvmgov restore` while the actuator runs has it give back and hold back, until `kvmgov resume`", async () => {
      await using governed = plane.on(host);
      await governed.service("actuator");
      const plan = await governed.plan(heldAll());
      await governed.follow(plan);
      const asked = await governed.kvmgov("restore", "--json");
      expect([asked.code, asked.stderr]).toEqual([0, ""]);
      expect(JSON.parse(asked.stdout)).toMatchObject({ restored: true, by: "actuator" });
      expect(changes(untouched, await state())).toEqual([]);
      expect((await governed.follow(await governed.renewed(plan))).writes).toEqual([]);
      expect((await governed.kvmgov("resume")).code).toBe(0);
      await waitFor("guests held again", 10_000 * host.patience, async () => {
        const { writes } = await governed.follow(await governed.renewed(plan));
        return writes.length > 0 || undefined;
      });
    });

    it("a lost journal is noticed, and libvirt's configuration is what guests go back to", async () => {
      await using governed = plane.on(host);
      const actuator = await governed.service("actuator");
      const configured = [guests.plain, guests.tuned, guests.pinned]; // `pair` has what libvirt does not know of
      const before = await host.kernelState(configured);
      await governed.follow(await governed.plan(configured.map(heldPlan)));
      await actuator.kill();
      await host.removeState(governed.id, JOURNAL);
      const { stdout } = await governed.kvmgov("restore", "--json");
      const { journalLost, unknown } = JSON.parse(stdout) as { journalLost: boolean; unknown: string[] };
      expect(journalLost).toBe(true);
      // Other things on this machine may have guests without a configuration: nothing can be said about those.
      expect(unknown.filter((name) => name.startsWith("case"))).toEqual([]);
      expect(changes(before, await host.kernelState(configured))).toEqual([]);
      await host.setAffinity(guests.pair.vcpuTids[1] ?? 0, [1]);
      expect(changes(untouched, await state())).toEqual([]);
    });

    it("a guest that restarted before the restore is not touched", async () => {
      await using governed = plane.on(host);
      const doomed = await host.defineAndStart({ name: "doomed" });
      try {
        const actuator = await governed.service("actuator");
        await governed.follow(await governed.plan([heldPlan(doomed), heldPlan(guests.plain)]));
        await actuator.kill();
        await host.destroy("doomed");
        const again = await host.start("doomed");
        await host.setAffinity(again.vcpuTids[0] ?? 0, [1]);
        const fresh = await host.kernelState([again]);
        const { stdout } = await governed.kvmgov("restore", "--json");
        expect(outcomes(stdout)).toEqual(["doomed gone", `${guests.plain.name} restored`]);
        expect(changes(fresh, await host.kernelState([again]))).toEqual([]);
        expect(changes(untouched, await state())).toEqual([]);
      } finally {
        await host.destroy("doomed");
      }
    });

    it("the collector finds and measures the guests there", async () => {
      await using governed = plane.on(host);
      await governed.service("collector", { KVMGOV_CHECK_PERIOD_MS: "1000" });
      const busy = await host.defineAndStart({
        name: "measured",
        spin: true,
        policy: { class: "scientific" },
      });
      try {
        const isOfIt = ({ uuid }: { uuid: string }): boolean => uuid === busy.uuid;
        const mine = () =>
          plane.samples.filter(({ host: id, guests: seen }) => id === governed.id && seen.some(isOfIt));
        await waitFor("three samples of it", 20_000 * host.patience, () => mine().length >= 3 || undefined);
        const sample = mine().at(-1);
        const byUuid = new Map(sample?.guests.map((guest) => [guest.uuid, guest]));
        for (const { name: guest, uuid, pid, startTime, vcpuTids } of [...all(), busy]) {
          expect(byUuid.get(uuid)).toMatchObject({ name: guest, pid, startTime, state: "running" });
          expect(byUuid.get(uuid)?.vcpus).toHaveLength(vcpuTids.length);
        }
        expect(byUuid.get(busy.uuid)?.declared).toMatchObject({ class: "scientific" });
        expect(byUuid.get(busy.uuid)?.vcpus[0]?.run).toBeGreaterThan(0.2);
        expect(byUuid.get(guests.pinned.uuid)).toMatchObject({ allowedCpus: [1] });
        const described = plane.hosts.find(({ host: id }) => id === governed.id);
        expect(described?.cgroupVersion).toBe(host.cgroupVersion);
      } finally {
        await host.destroy("measured");
      }
    });

    const reboots = async (): Promise<void> => {
      await using governed = plane.on(host);
      const actuator = await governed.service("actuator");
      await governed.follow(await governed.plan(heldAll()));
      expect(await host.hasState(governed.id, JOURNAL)).toBe(true);
      await actuator.kill();
      await host.reboot?.();
      guests = await startGuests(host);
      const fresh = await state();
      const { code, stdout } = await governed.kvmgov("restore", "--json");
      expect([code, outcomes(stdout)]).toEqual([0, all().map(({ name: guest }) => `${guest} gone`)]);
      expect(changes(fresh, await state())).toEqual([]);
      const next = await governed.service("actuator");
      expect(errorsOf(await governed.follow(await governed.plan(heldAll())))).toEqual([]);
      expect(await next.stop()).toBe(0);
      expect(changes(fresh, await state())).toEqual([]);
    };
    // Last: nothing of what ran before is there after it.
    it("after a reboot an old baseline reaches nobody", reboots, lacks.reboot);
  });
}

/** Guests whose settings are not the defaults, each in another way. Those that are defined already are started. */
async function startGuests(host: CaseHost): Promise<Guests> {
  const cputune = { shares: 512, quotaUs: 80_000, periodUs: 200_000 };
  const guests = {
    plain: await host.defineAndStart({ name: `case:a,b="c"`, iothreads: 1 }),
    tuned: await host.defineAndStart({ name: "case-tuned", cputune }),
    // A guest with a CPU of its own is left alone unless a class is declared for it.
    pinned: await host.defineAndStart({
      name: "case-pinned",
      policy: { class: "service" },
      cputune: { vcpupin: [{ vcpu: 0, cpuset: "1" }] },
    }),
    pair: await host.defineAndStart({ name: "case-pair", vcpus: 2 }),
  };
  // One vCPU with an affinity of its own, which libvirt does not know about.
  await host.setAffinity(guests.pair.vcpuTids[1] ?? 0, [1]);
  return guests;
}

/** A plan that leaves a guest as it was found. */
function asFound({ vcpuTids, ...guest }: CaseGuest): GuestPlan {
  return {
    ...guest,
    class: "scientific",
    count: 0,
    since: 0,
    vcpus: vcpuTids.map((_, index) => ({ index, bandwidth: "baseline", cpus: "baseline" })),
    weight: "baseline",
    emulatorCpus: "baseline",
    ioThreadCpus: "baseline",
    reasons: [{ code: "case", text: "the case wants it" }],
  };
}

/** A plan that holds everything that can be held. */
function heldPlan(guest: CaseGuest): GuestPlan {
  return {
    ...asFound(guest),
    vcpus: guest.vcpuTids.map((_, index) => ({ index, bandwidth: 0.3, cpus: [0] })),
    weight: "idle",
    emulatorCpus: [1],
    ioThreadCpus: [1],
    periodUs: 20_000,
  };
}

/** What is left of a guest's settings after `vcpu_quota=77000` and `vcpupin 0 1`. */
const TOLD = {
  1: [
    ...['cpu.cfs_quota_us: "-1\\n" -> "77000\\n"', 'cpu.cfs_quota_us: "-1\\n" -> "77000\\n"'],
    'cpuset.cpus: "0-1\\n" -> "1\\n"',
  ],
  2: ['cpu.max: "max 100000\\n" -> "77000 100000\\n"', 'cpuset.cpus: "\\n" -> "1\\n"'],
};

/** How often each value of {@link heldPlan} is found in the files of the four guests. */
const HELD = {
  1: { quota: 5, period: 5, idle: 4, vcpuCpus: 5, otherCpus: 5 },
  2: { quota: 5, period: 5, idle: 4, vcpuCpus: 5, otherCpus: 5 },
};

function countOf(state: KernelState, file: RegExp, text: RegExp): number {
  return Object.entries(state).filter(([key, value]) => file.test(key) && text.test(value)).length;
}

/** vCPUs with the quota of {@link heldPlan}. */
function heldVcpus({ cgroupVersion }: CaseHost, state: KernelState): number {
  return cgroupVersion === 2
    ? countOf(state, /vcpu\d+\/cpu\.max$/, /^6000 20000\n$/)
    : countOf(state, /vcpu\d+\/cpu\.cfs_quota_us$/, /^6000\n$/);
}

function heldValues(host: CaseHost, state: KernelState): (typeof HELD)[1] {
  const count = (file: RegExp, text: RegExp): number => countOf(state, file, text);
  const quota = heldVcpus(host, state);
  const cpus = {
    vcpuCpus: count(/vcpu\d+\/cpuset\.cpus$/, /^0\n$/),
    otherCpus: count(/(emulator|iothread\d+)\/cpuset\.cpus$/, /^1\n$/),
  };
  const idle = count(/cpu\.idle$/, /^1\n$/);
  if (host.cgroupVersion === 2) return { quota, period: quota, idle, ...cpus };
  return { quota, period: count(/vcpu\d+\/cpu\.cfs_period_us$/, /^20000\n$/), idle, ...cpus };
}

/** Part of a CPU that a guest's first vCPU had over a while. */
async function shareOf(host: CaseHost, guest: CaseGuest, ms: number): Promise<number> {
  const tid = guest.vcpuTids[0] ?? 0;
  const look = async (): Promise<[number, number]> => [
    await host.cpuTimeNs(tid),
    (await host.clock()).bootTimeUs,
  ];
  const [ran, at] = await look();
  await sleep(ms);
  const [ranLater, later] = await look();
  return (ranLater - ran) / ((later - at) * 1000);
}

const errorsOf = (report: Applied): unknown[] => report.writes.filter(({ error }) => error !== undefined);

/** `NAME OUTCOME` of each guest in the report of `kvmgov restore --json`. */
function outcomes(json: string): string[] {
  const { guests } = JSON.parse(json) as { guests: { name: string; outcome: string }[] };
  return guests.map(({ name, outcome }) => `${name} ${outcome}`);
}

/** The entries of a state that another has too. */
function part(state: KernelState, keys: KernelState): KernelState {
  return Object.fromEntries(Object.entries(state).filter(([key]) => key in keys));
}

/** What differs, as `KEY: OLD -> NEW`. */
function changes(before: KernelState, after: KernelState): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys
    .filter((key) => before[key] !== after[key])
    .map((key) => `${key}: ${JSON.stringify(before[key])} -> ${JSON.stringify(after[key])}`);
}
