import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { DescriptorBudget, GuestSampler, Sources, type Guest } from "@kvm-governor/linux";
import { PageRegistry } from "@kvm-governor/service-kit";
import { registerGuestFamilies } from "./guest-families.ts";
import { registerHostFamilies } from "./host-families.ts";

const UUID = "6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11";
const OTHER = "00000000-0000-4000-8000-000000000002";

/** Two guests in a small /proc: one with a hostile name, an I/O thread and a throttled vCPU, one that is exempt. */
class Page implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "kvmgov-page-"));
  nowMs = 0;
  readonly registry = new PageRegistry(() => this.nowMs);
  readonly failures: string[] = [];
  splitReads = 0;
  readonly guests: readonly Guest[] = [
    this.guest({
      uuid: UUID,
      name: 'a:b,c="d"\n',
      source: "libvirt",
      pid: 10,
      ioThreads: [{ id: 1, tid: 13 }],
    }),
    this.guest({
      uuid: OTHER,
      name: "db",
      source: "qemu",
      pid: 20,
      exemptReason: "dedicated",
      state: "paused",
    }),
  ];
  readonly #sources = new Sources(() => 0);
  readonly #sampler = new GuestSampler({
    context: { procRoot: this.root, budget: new DescriptorBudget(100, 0), scratch: Buffer.alloc(4096) },
    locate: ({ uuid }) =>
      uuid === UUID
        ? { cpu: { version: 1, mountPoint: "/", vcpus: new Map([[0, this.root]]), ioThreads: new Map() } }
        : undefined,
    sources: this.#sources,
    nowMs: () => 0,
  });

  constructor() {
    this.thread(10, 10, { runNs: 2_000_000_000 });
    this.thread(10, 11, { runNs: 1_234_567_890, delayNs: 500_000_000, voluntary: 7, involuntary: 5 });
    this.thread(10, 13, { runNs: 250_000_000 });
    this.thread(20, 20, {});
    this.thread(20, 21, {});
    writeFileSync(join(this.root, "cpu.stat"), "nr_periods 46\nnr_throttled 45\nthrottled_time 3000000000\n");
    registerGuestFamilies({
      registry: this.registry,
      guests: () => this.#sampler.last.readable,
      declare: ({ uuid }) => (uuid === UUID ? { class: "service", slaCores: 0.9 } : { class: "auto" }),
      readSwitchSplit: () => {
        this.splitReads++;
        this.#sampler.readSwitchSplit(Infinity);
      },
      onError: (family) => this.failures.push(family),
    });
    registerHostFamilies({
      registry: this.registry,
      host: () => ({
        usableCpus: [0, 1],
        used: { busy: 1.5, idle: 0.25, steal: 0.25 },
        pressureUs: 1_500_000,
        pressureSinceUs: undefined,
        isTopologyChanged: false,
      }),
      hostRun: () => undefined,
      sources: new Map([["stat", { ok: false, durationMs: 2, error: new Error("broken"), failures: 3 }]]),
      onError: (family) => this.failures.push(family),
    });
    this.read();
  }

  guest(overrides: Partial<Guest> & { pid: number; uuid: string }): Guest {
    const { pid } = overrides;
    const base = {
      startTime: 1,
      state: "running",
      ioThreads: [],
      emulatorTids: [pid],
      name: "",
      source: "qemu",
    } as const;
    return { ...base, vcpus: [{ index: 0, tid: pid + 1 }], ...overrides };
  }

  thread(
    pid: number,
    tid: number,
    figures: Partial<Record<"runNs" | "delayNs" | "voluntary" | "involuntary", number>>,
  ): void {
    const { runNs = 0, delayNs = 0, voluntary = 0, involuntary = 0 } = figures;
    const dir = join(this.root, String(pid), "task", String(tid));
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, "schedstat"), `${runNs} ${delayNs} 1\n`);
    const switches = `voluntary_ctxt_switches:\t${voluntary}\nnonvoluntary_ctxt_switches:\t${involuntary}\n`;
    writeFileSync(join(dir, "status"), `Name:\tx\n${switches}`);
  }

  read(guests = this.guests): void {
    this.#sampler.read({ guests, unreadable: [] });
  }

  [Symbol.dispose](): void {
    this.#sampler.close();
    rmSync(this.root, { recursive: true });
  }
}

describe("the page of metrics", () => {
  let page: Page;
  beforeEach(() => {
    page = new Page();
  });
  afterEach(() => page[Symbol.dispose]());

  it("reads as this golden page", async () => {
    expect(await page.registry.metrics()).toMatchSnapshot();
    expect(page.failures).toEqual([]);
  });

  it("keeps every series on one line, whatever a guest is named", async () => {
    for (const line of (await page.registry.metrics()).split("\n")) {
      expect(line).toMatch(/^(# (HELP|TYPE) kvmgov_.*|kvmgov_[a-z_]+(\{.*\})? [0-9.e+-]+|)$/);
    }
  });

  it("drops a guest that is gone at the next scrape", async () => {
    expect(await page.registry.metrics()).toContain(OTHER);
    page.read(page.guests.slice(0, 1));
    page.nowMs = 1000;
    expect(await page.registry.metrics()).not.toContain(OTHER);
  });

  it("shows the new name of a guest that was renamed", async () => {
    await page.registry.page();
    page.read(page.guests.map((guest) => (guest.uuid === OTHER ? { ...guest, name: "renamed" } : guest)));
    page.nowMs = 1000;
    const text = await page.registry.metrics();
    expect([text.includes('name="renamed"'), text.includes('name="db"')]).toEqual([true, false]);
  });

  it("shares one page among scrapes that overlap", async () => {
    const [a, b] = await Promise.all([page.registry.page(), page.registry.page()]);
    expect(a).toBe(b);
    expect(page.splitReads).toBe(1);
    page.nowMs = 100;
    await page.registry.metrics();
    expect(page.splitReads).toBe(2);
  });

  it("never lets a total go back when a guest cannot be read for a while", async () => {
    rmSync(join(page.root, "10/task/11"), { recursive: true });
    page.thread(10, 11, { runNs: 1 });
    page.read();
    page.nowMs = 1000;
    expect(await page.registry.metrics()).toContain(
      `kvmgov_vcpu_run_seconds_total{uuid="${UUID}",vcpu="0"} 1.23456789\n`,
    );
  });
});
