/**
 * Placement from the kernel to the kernel: a real guest's memory and pins are read, the topology travels in the host
 * message, and the vCPU ends up where it should. The machine's CPUs are shown to the collector as two NUMA nodes.
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { LAST_OF_EACH_HOST } from "@kvm-governor/service-kit";
import { startLibvirt, type Guest, type Libvirt } from "@kvm-governor/lab";
import { GuestWatcher, locateGuest, MemoryNodes } from "@kvm-governor/linux";
import { hostSchema, parseContract, sampleSchema, type GuestSample, type Sample } from "@kvm-governor/policy";
import { ControlPlane } from "../support/control-plane.ts";
import { describeWith } from "../support/requirements.ts";
import { ServiceProcess, waitFor } from "../support/service-process.ts";

jest.setTimeout(60_000);

/** The collector's host; and the same without what else runs on this machine, which is the one that is governed. */
const MEASURED = "placement-measured";
const HOST = "placement-e2e";
const PERIOD_MS = 200;

/** A /sys with this machine's control groups, and each of two CPUs a package and a NUMA node of its own. */
function twoNodes(sysRoot: string): string {
  const put = (file: string, text: string): void => {
    const path = join(sysRoot, "devices/system", file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${text}\n`);
  };
  put("cpu/online", "0-1");
  for (const cpu of [0, 1]) {
    put(`cpu/cpu${cpu}/topology/physical_package_id`, String(cpu));
    put(`cpu/cpu${cpu}/topology/package_cpus_list`, String(cpu));
    put(`cpu/cpu${cpu}/topology/core_cpus_list`, String(cpu));
    put(`node/node${cpu}/cpulist`, String(cpu));
  }
  symlinkSync("/sys/fs", join(sysRoot, "fs"));
  return sysRoot;
}

describeWith(["root", "kvm", "cgroup-v1", "lab", "servers"], "placement by topology", () => {
  const samples: Sample[] = [];
  const done = new AbortController();
  const services: ServiceProcess[] = [];
  let plane: ControlPlane;
  let first: ServiceProcess;
  let libvirt: Libvirt;
  let solver: Guest;
  let web: Guest;

  beforeAll(async () => {
    plane = await ControlPlane.start();
    libvirt = await startLibvirt();
    solver = await libvirt.defineAndStart({ name: "solver", load: { percent: 100 } });
    web = await libvirt.defineAndStart({ name: "web", load: { percent: 10 } });
    void plane.bus.consume("sample", "test", done.signal, (message) => {
      message.ack();
      if (message.host !== MEASURED) return;
      const sample = parseContract(sampleSchema, message.data, message.subject);
      samples.push(sample);
      void plane.publish("sample", HOST, onQuietMachine(sample));
    });
    void plane.bus.consume("host", LAST_OF_EACH_HOST, done.signal, (message) => {
      message.ack();
      if (message.host !== MEASURED) return;
      const host = parseContract(hostSchema, message.data, message.subject);
      void plane.publish("host", HOST, { ...host, host: HOST });
    });
    const policyFile = join(plane.dir, "policy.yaml");
    const rules = [
      { match: { uuid: solver.uuid }, class: "scientific" },
      { match: { uuid: web.uuid }, class: "service", slaCores: 0.5 },
      { match: { name: "*" }, class: "exempt" },
    ];
    writeFileSync(policyFile, JSON.stringify({ rules }));
    const env = {
      KVMGOV_HOST_ID: HOST,
      KVMGOV_NATS_URL: plane.nats.url,
      KVMGOV_NATS_USER: plane.nats.user,
      KVMGOV_NATS_PASSWORD: plane.nats.password,
      KVMGOV_LIBVIRT_RUN_DIR: join(libvirt.runDir, "qemu"),
      KVMGOV_RUN_DIR: plane.dir,
      KVMGOV_STATE_DIR: plane.dir,
      KVMGOV_POLICY_FILE: policyFile,
    };
    first = await plane.classifier();
    services.push(await ServiceProcess.start("actuator", env));
    services.push(
      await ServiceProcess.start("collector", {
        ...env,
        KVMGOV_HOST_ID: MEASURED,
        KVMGOV_CHECK_PERIOD_MS: String(PERIOD_MS),
        KVMGOV_SYS_ROOT: twoNodes(join(plane.dir, "sys")),
      }),
    );
  }, 120_000);

  afterAll(async () => {
    done.abort();
    for (const service of services.reverse()) await service.stop();
    await libvirt?.stop();
    await plane?.stop();
  }, 60_000);

  const onQuietMachine = (sample: Sample): Sample => ({
    ...sample,
    host: HOST,
    hostRun: 0,
    guests: sample.guests.filter(({ declared }) => declared.class !== "exempt"),
    unreadable: [],
  });
  const affinity = ({ pid, vcpuTids }: Guest): string | undefined =>
    /Cpus_allowed_list:\t(.*)/.exec(readFileSync(`/proc/${pid}/task/${vcpuTids[0]}/status`, "utf8"))?.[1];
  const newest = (guest: Guest): GuestSample | undefined =>
    samples.at(-1)?.guests.find(({ uuid }) => uuid === guest.uuid);

  test("a guest goes to the node of its memory, and stays there", async () => {
    await waitFor("memory is read", 15_000, () => newest(solver)?.memoryNodes);
    expect(newest(solver)?.memoryNodes).toEqual([{ node: 0, share: 1 }]);
    // All else being equal it would get the highest CPU, which is on the other node.
    await waitFor("the vCPU is on CPU 0", 15_000, () => (affinity(solver) === "0" ? true : undefined));
    expect(affinity(web)).toBe("1");
    const { generation = 0, guests = [] } = (await plane.plan(HOST)) ?? {};
    expect(guests.find(({ uuid }) => uuid === solver.uuid)?.vcpus).toEqual([
      { index: 0, bandwidth: "unlimited", cpus: [0] },
    ]);
    const from = samples.length;
    await waitFor("ten more ticks", 15_000, () => (samples.length >= from + 10 ? true : undefined));
    expect((await plane.plan(HOST))?.generation).toBe(generation);
    expect(affinity(solver)).toBe("0");
  });

  test("another classifier that takes over later knows the topology too, and moves nobody", async () => {
    const { generation = 0 } = (await plane.plan(HOST)) ?? {};
    const other = await plane.classifier();
    await first.stop();
    // Announcements are not shared as samples are: it has this one although nobody announced anything since.
    const { body } = await other.json(`/api/v1/hosts/${HOST}`);
    expect(body).toMatchObject({ announced: { topology: [{ node: 0 }, { node: 1 }] } });
    await waitFor("twenty decisions of the other", 30_000, async () => {
      const decided = await other.metric(`kvmgov_decisions_total{outcome="decided"}`);
      return decided !== undefined && decided >= 20 ? true : undefined;
    });
    expect((await plane.plan(HOST))?.generation).toBe(generation);
    expect(affinity(solver)).toBe("0");
  });

  test("pins of one vCPU are told, and kept to", async () => {
    const apart = await libvirt.defineAndStart({ name: "apart", load: { vcpus: 2 } });
    await libvirt.virsh(["vcpupin", "apart", "0", "1", "--live"]);
    const pinned = await waitFor("its pins", 15_000, () => {
      const guest = newest(apart);
      return guest?.vcpus[0]?.allowedCpus === undefined ? undefined : guest;
    });
    expect(pinned.allowedCpus).toBeUndefined();
    expect(pinned.vcpus.map(({ allowedCpus }) => allowedCpus)).toEqual([[1], undefined]);
    await libvirt.destroy("apart");
  });

  test("memory is read from the group and from the page tables alike", async () => {
    const watcher = new GuestWatcher({ libvirtRunDir: join(libvirt.runDir, "qemu") });
    watcher.refresh();
    const guest = watcher.inventory.guests.find(({ uuid }) => uuid === solver.uuid);
    if (guest === undefined) throw new Error("the guest is not found");
    const group = locateGuest(guest, { controllers: ["memory"] })?.memory;
    if (group?.guest === undefined) throw new Error("the guest has no memory group");
    const own = { dir: group.guest, version: group.version };
    for (const found of [own, undefined]) {
      const errors: unknown[] = [];
      let ms = Infinity;
      const memory = new MemoryNodes({
        procRoot: "/proc",
        locate: () => found,
        nodes: () => 2,
        nowMs: () => performance.now(),
        onPass: (durationMs, failed) => {
          ms = durationMs;
          errors.push(...failed);
        },
      });
      memory.tick([guest]);
      await memory.settled();
      expect({ shares: memory.of(guest), errors }).toEqual({ shares: [{ node: 0, share: 1 }], errors: [] });
      expect(ms).toBeLessThan(1000);
    }
    watcher.close();
  });
});
