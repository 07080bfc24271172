/** A collector over real KVM guests and a real NATS: its figures against the kernel's own. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import {
  startBareQemu,
  startLibvirt,
  startNats,
  type BareQemu,
  type Guest,
  type Libvirt,
  type NatsServer,
} from "@kvm-governor/lab";
import { hostSchema, parseContract, sampleSchema, type Host, type Sample } from "@kvm-governor/policy";
import { connectBus, createLogger, Readiness, type Bus } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { cpuShare } from "../support/cpu-time.ts";
import { describeWith } from "../support/requirements.ts";
import { ServiceProcess, waitFor } from "../support/service-process.ts";

const HOST = "collector-e2e";
const PERIOD_MS = 500;
const ODD_NAME = 'a:b,c="d"\n';
const ODD_UUID = "6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11";
const RULES = `rules: [{ match: { name: "odd*" }, class: scientific }]\n`;

describeWith(["root", "kvm", "cgroup-v1", "lab", "servers"], "collector", () => {
  const consuming = new AbortController();
  const samples: Sample[] = [];
  const hosts: Host[] = [];
  let dir: string;
  let libvirt: Libvirt;
  let half: Guest;
  let capped: Guest;
  let bare: BareQemu;
  let nats: NatsServer;
  let bus: Bus;
  let collector: ServiceProcess;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), `kvmgov-collector-${process.pid}-`));
    nats = await startNats({ dir: join(dir, "nats") });
    bus = listen();
    libvirt = await startLibvirt();
    half = await libvirt.defineAndStart({
      name: "half",
      load: { percent: 50 },
      policy: { class: "service", slaCores: 0.5 },
    });
    capped = await libvirt.defineAndStart({
      name: "capped",
      load: { percent: 100 },
      cputune: { quotaUs: 25_000, periodUs: 100_000 },
    });
    bare = await startBareQemu({ name: ODD_NAME, uuid: ODD_UUID });
    await writeFile(join(dir, "policy.yaml"), RULES);
    collector = await ServiceProcess.start("collector", {
      KVMGOV_HOST_ID: HOST,
      KVMGOV_CHECK_PERIOD_MS: String(PERIOD_MS),
      KVMGOV_NATS_URL: nats.url,
      KVMGOV_NATS_USER: nats.user,
      KVMGOV_NATS_PASSWORD: nats.password,
      KVMGOV_LIBVIRT_RUN_DIR: join(libvirt.runDir, "qemu"),
      KVMGOV_RUN_DIR: dir,
      KVMGOV_POLICY_FILE: join(dir, "policy.yaml"),
    });
  }, 120_000);

  afterAll(async () => {
    consuming.abort();
    await collector?.stop();
    await bare?.stop();
    await libvirt?.stop();
    await bus?.close();
    await nats?.server.stop();
    await rm(dir, { recursive: true });
  }, 60_000);

  /** Plays the classifier: makes the streams and reads what comes. */
  function listen(): Bus {
    const log = createLogger("test", "silent");
    const { url, user, password } = nats;
    const options = { name: "test", manage: true, readiness: new Readiness(), registry: new Registry() };
    const made = connectBus({ url, user, password, log, ...options });
    void made.consume("sample", "test", consuming.signal, (message) => {
      samples.push(parseContract(sampleSchema, message.data, message.subject));
      message.ack();
    });
    void made.consume("host", "test", consuming.signal, (message) => {
      hosts.push(parseContract(hostSchema, message.data, message.subject));
      message.ack();
    });
    return made;
  }

  /** The next complete samples of a guest, one after the other. */
  async function nextSamples(guest: string, count: number): Promise<Sample["guests"]> {
    const from = samples.length;
    const found = (): Sample["guests"] =>
      samples
        .slice(from)
        .flatMap(({ guests }) => guests)
        .filter(({ uuid, incomplete }) => uuid === guest && incomplete !== true);
    await waitFor(`${count} samples of ${guest}`, 20_000 + count * PERIOD_MS, () =>
      found().length >= count ? true : undefined,
    );
    return found().slice(0, count);
  }

  function vcpu(name: string, guest: Guest): string {
    return `kvmgov_vcpu_${name}{uuid="${guest.uuid}",vcpu="0"}`;
  }

  /** Other tests may have guests on this machine: only those of this one are waited for. */
  async function eventOf(event: string, uuid: string, count = 1): Promise<void> {
    await waitFor(`event ${event} of ${uuid}`, 3000, () => {
      const lines = collector.events(event).filter((line) => line["uuid"] === uuid);
      return lines.length >= count ? true : undefined;
    });
  }

  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;

  it("says what the host is, and who its guests are", async () => {
    const host = await waitFor("a host message", 10_000, () => hosts[0]);
    expect(host).toMatchObject({ host: HOST, cgroupVersion: 1, metrics: { collector: collector.url } });
    expect(host.capabilities).toContain("psi");
    const [sampled] = await nextSamples(half.uuid, 1);
    expect(sampled).toMatchObject({
      name: "half",
      pid: half.pid,
      state: "running",
      declared: { class: "service", slaCores: 0.5 },
    });
    for (const guest of ["half", "capped"]) {
      expect(collector.events("guest-found").map((line) => line["guest"])).toContain(guest);
    }
  }, 40_000);

  it("measures run and delay of a guest at half load as the kernel counts them", async () => {
    const periods = 10;
    const [tid = 0] = half.vcpuTids;
    const [sampled, kernel] = await Promise.all([
      nextSamples(half.uuid, periods),
      cpuShare(tid, (periods + 1) * PERIOD_MS),
    ]);
    const run = mean(sampled.map(({ vcpus }) => vcpus[0]?.run ?? 0));
    const demand = mean(sampled.map(({ vcpus }) => (vcpus[0]?.run ?? 0) + (vcpus[0]?.delay ?? 0)));
    // The windows are not quite the same: the guest's cycle is 200 ms, that of a tick 500.
    expect(Math.abs(run - kernel.usage)).toBeLessThan(0.03 + 0.15 * kernel.usage);
    expect(Math.abs(demand - kernel.demand)).toBeLessThan(0.03 + 0.15 * kernel.demand);
    expect(demand).toBeGreaterThan(0.4);
  }, 40_000);

  it("shows run and delay as the kernel counted them between two of its own readings", async () => {
    const [tid = 0] = half.vcpuTids;
    const kernel = async (): Promise<number[]> =>
      (await readFile(`/proc/${tid}/schedstat`, "latin1")).split(" ").map((ns) => Number(ns) / 1e9);
    const [runBefore = NaN, delayBefore = NaN] = await kernel();
    await sleep(3 * PERIOD_MS);
    const run = await collector.metric(vcpu("run_seconds_total", half));
    const delay = await collector.metric(vcpu("delay_seconds_total", half));
    const [runAfter = NaN, delayAfter = NaN] = await kernel();
    expect(run).toBeGreaterThanOrEqual(runBefore);
    expect(run).toBeLessThanOrEqual(runAfter);
    expect(delay).toBeGreaterThanOrEqual(delayBefore);
    expect(delay).toBeLessThanOrEqual(delayAfter);
  }, 20_000);

  it("sees the throttling of a quota, and all of it as delay", async () => {
    const sampled = await nextSamples(capped.uuid, 6);
    const vcpus = sampled.flatMap((guest) => guest.vcpus);
    expect(mean(vcpus.map(({ run }) => run))).toBeLessThan(0.3);
    expect(mean(vcpus.map(({ run, delay }) => run + delay))).toBeGreaterThan(0.9);
    expect(vcpus.every(({ throttled }) => throttled !== undefined)).toBe(true);
    const [tid = 0] = capped.vcpuTids;
    const group =
      /^\d+:cpu(?:,cpuacct)?:(.*)$/m.exec(await readFile(`/proc/${tid}/cgroup`, "utf8"))?.[1] ?? "";
    const stat = await readFile(`/sys/fs/cgroup/cpu${group}/cpu.stat`, "utf8");
    const before = Number(/nr_throttled (\d+)/.exec(stat)?.[1]);
    await sleep(3 * PERIOD_MS);
    expect(await collector.metric(vcpu("cfs_throttled_periods_total", capped))).toBeGreaterThanOrEqual(
      before,
    );
  }, 40_000);

  it("counts the switches of a vCPU exactly as /proc does", async () => {
    await libvirt.virsh(["suspend", "half"]);
    // Once the guest stands still nothing moves any more: two ticks, then both sides say the same.
    await sleep(3 * PERIOD_MS);
    const [tid = 0] = half.vcpuTids;
    const status = await readFile(`/proc/${tid}/status`, "latin1");
    const voluntary = Number(/^voluntary_ctxt_switches:\t(\d+)/m.exec(status)?.[1]);
    const involuntary = Number(/^nonvoluntary_ctxt_switches:\t(\d+)/m.exec(status)?.[1]);
    expect(await collector.metric(vcpu("voluntary_context_switches_total", half))).toBe(voluntary);
    expect(await collector.metric(vcpu("involuntary_context_switches_total", half))).toBe(involuntary);
    expect(await collector.metric(vcpu("context_switches_total", half))).toBe(voluntary + involuntary);
    expect(voluntary + involuntary).toBeGreaterThan(100);
    const [paused] = await nextSamples(half.uuid, 1);
    expect(paused).toMatchObject({ state: "paused", vcpus: [{ run: 0, delay: 0, switches: 0 }] });
    await libvirt.virsh(["resume", "half"]);
  }, 40_000);

  it("shows a guest whose name is made to break the page", async () => {
    const info = `kvmgov_guest_info{uuid="${ODD_UUID}",name="a:b,c=\\"d\\"\\n",source="qemu"}`;
    expect(await collector.metric(info)).toBe(1);
    expect(
      await collector.metric(`kvmgov_vcpu_run_seconds_total{uuid="${ODD_UUID}",vcpu="0"}`),
    ).toBeGreaterThan(0);
  });

  it("reads rules again at SIGHUP, and keeps the old ones where the new are invalid", async () => {
    const series = `kvmgov_guest_declared_class{uuid="${capped.uuid}",class="exempt"}`;
    expect(await collector.metric(series)).toBe(0);
    await writeFile(join(dir, "policy.yaml"), `rules: [{ match: { name: capped }, class: exempt }]\n`);
    await fetch(`${collector.url}/-/log-level?level=warn`, { method: "PUT" });
    expect(await collector.json("/-/log-level")).toMatchObject({ body: { level: "warn" } });
    collector.signal("SIGHUP");
    await waitFor("the configured log level", 5000, async () => {
      const { body } = await collector.json("/-/log-level");
      return (body as { level: string }).level === "info" || undefined;
    });
    expect(await nextSamples(capped.uuid, 2)).toMatchObject([
      {},
      { declared: { class: "exempt", source: "rule 1" } },
    ]);
    await writeFile(join(dir, "policy.yaml"), "rules: [{ match: { name: capped }, klass: auto }]\n");
    collector.signal("SIGHUP");
    const refused = await collector.event("policy-refused");
    expect(refused.msg).toMatch(/policy\.yaml:1: .*unknown key "klass"/);
    expect(await collector.metric("kvmgov_collector_policy_file_valid")).toBe(0);
    expect(await collector.metric(series)).toBe(1);
  }, 40_000);

  it("goes on measuring while NATS is away, says so, and sends again when it is back", async () => {
    await nextSamples(half.uuid, 1);
    await nats.server.kill();
    await waitFor("not ready", 10_000, async () =>
      (await collector.ready()).status === 503 ? true : undefined,
    );
    const away = await collector.ready();
    expect(away.parts).toMatchObject({ nats: { ok: false }, sampling: { ok: true } });
    const ticks = (await collector.metric("kvmgov_collector_ticks_total")) ?? 0;
    const sent = samples.at(-1)?.sequence ?? Infinity;
    const replaced = 'kvmgov_collector_samples_dropped_total{reason="replaced"}';
    await waitFor("ticks while NATS is away", 20 * PERIOD_MS, async () =>
      ((await collector.metric("kvmgov_collector_ticks_total")) ?? 0) >= ticks + 3 &&
      ((await collector.metric(replaced)) ?? 0) > 0
        ? true
        : undefined,
    );
    await nats.server.restart();
    const [again] = await nextSamples(half.uuid, 1);
    expect(again?.incomplete).toBeUndefined();
    expect(samples.at(-1)?.sequence).toBeGreaterThan(sent);
    await collector.event("samples-resumed");
    expect((await collector.ready()).status).toBe(200);
  }, 60_000);

  it("takes a guest that departed off its page and out of its samples", async () => {
    expect(await collector.metrics()).toContain(capped.uuid);
    await libvirt.destroy("capped");
    await eventOf("guest-gone", capped.uuid);
    expect(await collector.metrics()).not.toContain(capped.uuid);
    const from = samples.length;
    await waitFor("two samples", 10_000, () => (samples.length >= from + 2 ? true : undefined));
    expect(samples.at(-1)?.guests.map(({ uuid }) => uuid)).not.toContain(capped.uuid);
    expect(samples.at(-1)?.unreadable.map(({ uuid }) => uuid)).not.toContain(capped.uuid);
  }, 40_000);

  it("notices a guest that was started again as another run of the same", async () => {
    const { uuid } = await libvirt.start("capped");
    await eventOf("guest-found", uuid, 2);
    const [sampled] = await nextSamples(uuid, 1);
    expect(sampled?.pid).not.toBe(capped.pid);
  }, 40_000);

  it("ends on SIGTERM with exit code 0", async () => {
    expect(await collector.stop()).toBe(0);
  });
});
