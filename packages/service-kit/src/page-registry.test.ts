import { afterEach, describe, expect, it } from "@jest/globals";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Counter, Histogram, Registry } from "prom-client";
import { labelText, registerFamily } from "./fast-families.ts";
import { PageRegistry } from "./page-registry.ts";

const noError = (family: string, error: unknown): void => {
  throw new Error(`${family} failed`, { cause: error });
};

let nowMs = 0;
afterEach(() => void (nowMs = 0));

function fill(registry: Registry, collect: () => void = () => undefined): void {
  new Counter({ name: "kvmgov_first_total", help: "One\\two\nlines", registers: [registry] }).inc(3);
  registerFamily(
    registry,
    { name: "kvmgov_fast", help: 'Of "ours" \\ and\nmore', type: "gauge", labels: ["name"] },
    (write) => {
      collect();
      for (const [at, name] of ["a", "é", 'q"'].entries()) write(labelText({ name }), at / 2);
    },
    noError,
  );
  const empty = { name: "kvmgov_empty_total", help: "None", type: "counter", labels: [] } as const;
  registerFamily(registry, empty, () => undefined, noError);
  new Histogram({ name: "kvmgov_last_seconds", help: "L", buckets: [1], registers: [registry] }).observe(2);
}

describe("PageRegistry", () => {
  it("writes the page that prom-client's registry writes", async () => {
    const [ours, theirs] = [new PageRegistry(() => nowMs), new Registry()];
    for (const registry of [ours, theirs]) fill(registry);
    expect(await ours.metrics()).toBe(await theirs.metrics());
    expect((await ours.page()).bytes).toBe(Buffer.byteLength(await theirs.metrics()));
  });

  it("shares a page with scrapes that begin shortly after, and with all that come while it is written", async () => {
    const registry = new PageRegistry(() => nowMs);
    let collects = 0;
    fill(registry, () => collects++);
    const first = registry.page();
    nowMs = 5000;
    expect(registry.page()).toBe(first);
    await first;
    const second = registry.page();
    expect(second).not.toBe(first);
    await second;
    nowMs = 5099;
    expect(registry.page()).toBe(second);
    nowMs = 5100;
    await registry.page();
    expect(collects).toBe(3);
  });

  it("lets others run between families that take long", async () => {
    const registry = new PageRegistry(() => nowMs);
    const order: string[] = [];
    for (const name of ["kvmgov_a", "kvmgov_b", "kvmgov_c"]) {
      const spec = { name, help: name, type: "gauge", labels: [] } as const;
      registerFamily(registry, spec, () => void (order.push(name), (nowMs += 5)), noError);
    }
    const page = registry.page();
    void nextTurn().then(() => order.push("other"));
    await page;
    expect(order).toEqual(["kvmgov_a", "kvmgov_b", "other", "kvmgov_c"]);
  });

  it("does not keep a page that failed", async () => {
    const registry = new PageRegistry(() => nowMs);
    let isBroken = true;
    new Counter({
      name: "kvmgov_broken_total",
      help: "B",
      registers: [registry],
      collect: () => {
        if (isBroken) throw new Error("planted");
      },
    });
    await expect(registry.page()).rejects.toThrow("planted");
    isBroken = false;
    expect(await registry.metrics()).toContain("kvmgov_broken_total 0");
  });
});
