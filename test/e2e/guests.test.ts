/** Real guests, of libvirt and bare, are found, followed and told apart. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Libvirt, ensureTools, startBareQemu, startLibvirt } from "@kvm-governor/lab";
import { type GuestChanges, type Guest, GuestWatcher } from "@kvm-governor/linux";
import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describeWith } from "../support/requirements.ts";

const ODD_NAME = 'a:b,c="d"\n';
const START_MS = 90_000;
const TEST_MS = 30_000;
/** As the collector does it; "within a second" is measured from the moment that the change had been made. */
const REFRESH_MS = 250;
const SEEN_WITHIN_MS = 1000;

/** One change of one guest, and when it was seen. */
interface Seen {
  what: keyof GuestChanges;
  uuid: string;
  at: number;
}

describeWith(["root", "kvm", "lab"], "guests", () => {
  let libvirt: Libvirt;
  let watcher: GuestWatcher;
  let timer: NodeJS.Timeout;
  const seen: Seen[] = [];

  beforeAll(async () => {
    libvirt = await startLibvirt();
    watcher = new GuestWatcher({ libvirtRunDir: path.join(libvirt.runDir, "qemu") });
    timer = setInterval(() => note(watcher.refresh()), REFRESH_MS);
  }, START_MS);

  afterAll(async () => {
    clearInterval(timer);
    watcher?.close();
    await libvirt?.stop();
  }, START_MS);

  function note(changes: GuestChanges): void {
    const at = performance.now();
    const add = (what: Seen["what"], uuids: (string | undefined)[]): void => {
      for (const uuid of uuids) if (uuid !== undefined) seen.push({ what, uuid, at });
    };
    for (const what of ["arrived", "departed", "unreadable"] as const) {
      add(
        what,
        changes[what].map((each) => each.uuid),
      );
    }
    for (const what of ["restarted", "changed"] as const)
      add(
        what,
        changes[what].map(({ now }) => now.uuid),
      );
  }

  /** Waits for a change that is seen after `since`; answers when, on the clock of performance.now(). */
  async function sightOf(uuid: string, since: number, ...whats: Seen["what"][]): Promise<number> {
    const until = performance.now() + 5 * SEEN_WITHIN_MS;
    for (;;) {
      const found = seen.find((each) => each.uuid === uuid && whats.includes(each.what) && each.at >= since);
      if (found !== undefined) return found.at;
      if (performance.now() > until) throw new Error(`no ${whats.join(" or ")} of ${uuid}`);
      await sleep(10);
    }
  }

  /** Does something to a guest and expects the change to be seen within a second after it was done. */
  async function expectSeen<T>(uuid: string, whats: Seen["what"][], action: () => Promise<T>): Promise<T> {
    const since = performance.now();
    const result = await action();
    const done = performance.now();
    expect((await sightOf(uuid, since, ...whats)) - done).toBeLessThan(SEEN_WITHIN_MS);
    return result;
  }

  function guestOf(uuid: string): Guest {
    const found = watcher.inventory.guests.find((guest) => guest.uuid === uuid);
    if (found === undefined) throw new Error(`${uuid} is not in the inventory`);
    return found;
  }

  test(
    "a libvirt guest: identity, threads, declaration and tuning as libvirt has them, once",
    async () => {
      const uuid = randomUUID();
      const spec = {
        name: "web",
        uuid,
        load: { vcpus: 2 },
        policy: { class: "service", slaCores: 0.9 },
        iothreads: 1,
        cputune: { shares: 2048, periodUs: 50_000, quotaUs: 25_000, emulatorpin: "0" },
      };
      const web = await expectSeen(uuid, ["arrived"], () => libvirt.defineAndStart(spec));
      // libvirt starts a guest paused.
      while (guestOf(uuid).state !== "running") await sleep(10);
      const guest = guestOf(uuid);
      expect(guest).toMatchObject({
        name: "web",
        source: "libvirt",
        pid: web.pid,
        state: "running",
        metadata: { class: "service", slaCores: 0.9, source: "metadata" },
        configured: { shares: 2048, vcpuPeriodUs: 50_000, vcpuQuotaUs: 25_000, emulatorPin: [0] },
        ioThreads: [{ id: 1 }],
      });
      expect(guest.vcpus.map((vcpu) => vcpu.tid)).toEqual(web.vcpuTids);
      expect(guest.emulatorTids).toContain(web.pid);
      expect(guest.exemptReason).toBeUndefined();
      expect(watcher.inventory.guests.filter((each) => each.pid === web.pid)).toHaveLength(1);
    },
    TEST_MS,
  );

  test(
    "changes by virsh: pause, resume, live pin",
    async () => {
      const { uuid } = watcher.inventory.guests.find((guest) => guest.name === "web") ?? { uuid: "" };
      await expectSeen(uuid, ["changed"], () => libvirt.virsh(["suspend", "web"]));
      expect(guestOf(uuid).state).toBe("paused");
      await expectSeen(uuid, ["changed"], () => libvirt.virsh(["resume", "web"]));
      for (const vcpu of [0, 1])
        await libvirt.virsh(["vcpupin", "web", String(vcpu), String(vcpu), "--live"]);
      await sleep(2 * REFRESH_MS);
      expect(guestOf(uuid)).toMatchObject({
        state: "running",
        exemptReason: "dedicated",
        allowedCpus: [0, 1],
      });
    },
    TEST_MS,
  );

  test(
    "restart and departure within a second",
    async () => {
      const { uuid } = watcher.inventory.guests.find((guest) => guest.name === "web") ?? { uuid: "" };
      // Quick enough, and both are seen in one look; else it departed in one and arrived in the next.
      const again = await expectSeen(uuid, ["restarted", "arrived"], async () => {
        await libvirt.destroy("web");
        return await libvirt.start("web");
      });
      expect(guestOf(uuid).pid).toBe(again.pid);
      await expectSeen(uuid, ["departed"], () => libvirt.destroy("web"));
    },
    TEST_MS,
  );

  test(
    "a bare guest of an odd name: its vCPUs are those that QEMU itself names",
    async () => {
      const uuid = randomUUID();
      const spec = { name: ODD_NAME, uuid, load: { vcpus: 2 } };
      const bare = await expectSeen(uuid, ["arrived"], () => startBareQemu(spec));
      const guest = guestOf(uuid);
      expect(guest).toMatchObject({ name: ODD_NAME, source: "qemu", pid: bare.pid });
      expect(guest.vcpus.map((vcpu) => vcpu.tid)).toEqual(bare.vcpuTids);
      await expectSeen(uuid, ["departed"], () => bare.stop());
    },
    TEST_MS,
  );

  test(
    "a guest whose threads have no names is reported, and never guessed at",
    async () => {
      const uuid = randomUUID();
      const bare = await startBareQemu({ name: "nameless", uuid, debugThreads: false });
      try {
        await sightOf(uuid, performance.now() - 500, "unreadable");
        expect(watcher.inventory.unreadable.find((each) => each.uuid === uuid)).toMatchObject({
          name: "nameless",
          pid: bare.pid,
          reason: expect.stringContaining("debug-threads=off"),
        });
        expect(watcher.inventory.guests.some((guest) => guest.pid === bare.pid)).toBe(false);
      } finally {
        await bare.stop();
      }
    },
    TEST_MS,
  );

  test(
    "exemptions: cpu-pm, real-time, dedicated by definition",
    async () => {
      const since = performance.now();
      const [pm, rt, pinned] = [randomUUID(), randomUUID(), randomUUID()];
      const bares = [
        await startBareQemu({ name: "pm", uuid: pm, args: ["-overcommit", "cpu-pm=on"] }),
        await startBareQemu({ name: "rt", uuid: rt }),
      ];
      const definition = await libvirt.defineAndStart({
        name: "pinned",
        uuid: pinned,
        cputune: { vcpupin: [{ vcpu: 0, cpuset: "1" }] },
      });
      try {
        execFileSync("chrt", ["--fifo", "-p", "1", String(bares[1]?.vcpuTids[0])]);
        for (const uuid of [pm, rt, pinned]) await sightOf(uuid, since, "arrived");
        expect(guestOf(pm).exemptReason).toBe("cpu-pm");
        expect(guestOf(pinned)).toMatchObject({
          exemptReason: "dedicated",
          pid: definition.pid,
          allowedCpus: [1],
        });
        // Threads change policy without any sign: seen when the guest is listed next, after at most 4 s.
        const until = performance.now() + 6000;
        while (guestOf(rt).exemptReason === undefined && performance.now() < until) await sleep(100);
        expect(guestOf(rt).exemptReason).toBe("realtime");
      } finally {
        for (const bare of bares) await bare.stop();
        await libvirt.destroy("pinned");
      }
    },
    TEST_MS,
  );

  test(
    "a vCPU plugged into a running guest is seen",
    async () => {
      const uuid = randomUUID();
      const qemu = (await ensureTools(["lab"])).find("qemu-system-x86_64");
      const args =
        `-S -uuid ${uuid} -name guest=plug,debug-threads=on -accel kvm -cpu kvm64 -m 16 ` +
        "-smp 1,sockets=2,maxcpus=2 -nodefaults -display none -qmp stdio";
      const child = spawn(qemu.path, args.split(" "), { env: qemu.env, stdio: ["pipe", "pipe", "ignore"] });
      child.stdout.resume();
      const exited = once(child, "exit");
      try {
        await sightOf(uuid, performance.now(), "arrived");
        expect(guestOf(uuid).vcpus).toHaveLength(1);
        const plug = { driver: "kvm64-x86_64-cpu", id: "c1", "socket-id": 1, "core-id": 0, "thread-id": 0 };
        await expectSeen(uuid, ["changed"], async () => {
          child.stdin.write('{"execute":"qmp_capabilities"}');
          child.stdin.write(JSON.stringify({ execute: "device_add", arguments: plug }));
        });
        expect(guestOf(uuid).vcpus.map((vcpu) => vcpu.index)).toEqual([0, 1]);
      } finally {
        child.kill("SIGKILL");
        await exited;
      }
    },
    TEST_MS,
  );
});
