import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { Gauge, Registry } from "prom-client";
import { labelText, registerFamily, type WriteSeries } from "./fast-families.ts";

const noError = (family: string, error: unknown): void => {
  throw new Error(`${family} failed`, { cause: error });
};

describe("registerFamily", () => {
  it("writes the same page as prom-client", async () => {
    const rows = [
      ["a", 1],
      ["b", 0.25],
      ["c", Infinity],
      ["d", NaN],
      ["e", 1e21],
    ] as const;
    const ours = new Registry();
    registerFamily(
      ours,
      { name: "kvmgov_trial", help: "A trial", type: "gauge", labels: ["name"] },
      (write) => rows.forEach(([name, value]) => write(labelText({ name }), value)),
      noError,
    );
    const theirs = new Registry();
    const gauge = new Gauge({
      name: "kvmgov_trial",
      help: "A trial",
      labelNames: ["name"],
      registers: [theirs],
    });
    for (const [name, value] of rows) gauge.set({ name }, value);
    expect((await ours.metrics()).replaceAll("NaN", "Nan")).toBe(
      (await theirs.metrics()).replaceAll("NaN", "Nan"),
    );
  });

  it("keeps HELP and TYPE of a family without series", async () => {
    const registry = new Registry();
    registerFamily(
      registry,
      { name: "kvmgov_none", help: "None", type: "counter", labels: [] },
      () => undefined,
      noError,
    );
    expect(await registry.metrics()).toBe("# HELP kvmgov_none None\n# TYPE kvmgov_none counter\n");
  });

  it("loses only the family whose collect throws", async () => {
    const registry = new Registry();
    const failed: string[] = [];
    const onError = (family: string): void => void failed.push(family);
    const broken = (write: WriteSeries): void => {
      write(labelText({}), 1);
      throw new Error("broken");
    };
    registerFamily(
      registry,
      { name: "kvmgov_broken", help: "B", type: "gauge", labels: [] },
      broken,
      onError,
    );
    registerFamily(
      registry,
      { name: "kvmgov_well", help: "W", type: "gauge", labels: [] },
      (write) => write(labelText({}), 1),
      onError,
    );
    const page = await registry.metrics();
    expect(page).toContain("\nkvmgov_well 1\n");
    expect(page).not.toMatch(/^kvmgov_broken/m);
    expect(failed).toEqual(["kvmgov_broken"]);
  });
});

const textOf = (labels: Record<string, string>): string => Buffer.from(labelText(labels)).toString();

describe("labelText", () => {
  it("escapes what a tenant may put in a name", () => {
    expect(textOf({ name: 'a:b,c="d"\n', path: "\\" })).toBe('{name="a:b,c=\\"d\\"\\n",path="\\\\"}');
  });

  it("gives back any value after unescaping, on one line", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ unit: "binary-ascii" })), (value) => {
        const text = textOf({ name: value });
        expect(text).not.toContain("\n");
        const quoted = /^\{name="((?:[^"\\]|\\[\\n"])*)"\}$/s.exec(text)?.[1];
        const back = quoted?.replaceAll(/\\([\\n"])/g, (_, c: string) => (c === "n" ? "\n" : c));
        expect(back).toBe(value);
      }),
    );
  });

  it("refuses what is no label name", () => {
    expect(() => labelText({ "a-b": "x" })).toThrow('not a label name: "a-b"');
  });
});
