import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { PageWriter } from "./page-writer.ts";

const name = Buffer.from("kvmgov_trial");
const labels = Buffer.from('{uuid="a"}');
const pageOf = (writer: PageWriter): string => Buffer.concat(writer.take()).toString();

describe("PageWriter", () => {
  it("writes numbers as JavaScript prints them", () => {
    const values = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.maxSafeNat(),
      fc.integer(),
    );
    fc.assert(
      fc.property(values, (value) => {
        const writer = new PageWriter();
        writer.series(name, labels, value);
        expect(pageOf(writer)).toBe(`kvmgov_trial{uuid="a"} ${value}\n`);
      }),
    );
  });

  it("writes what is no number as the exposition format asks for", () => {
    const writer = new PageWriter();
    for (const value of [NaN, Infinity, -Infinity]) writer.series(name, labels, value);
    expect(pageOf(writer).match(/ .*\n/g)).toEqual([" NaN\n", " +Inf\n", " -Inf\n"]);
  });

  it("writes nanoseconds as seconds, with every digit and none too many", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (ns) => {
        const writer = new PageWriter();
        writer.seriesOfSeconds(name, labels, ns);
        const text = pageOf(writer).split(" ")[1]?.trim() ?? "";
        const [seconds = "", fraction = ""] = text.split(".");
        expect(BigInt(seconds + fraction.padEnd(9, "0"))).toBe(BigInt(ns));
        expect(text).toMatch(/^(0|[1-9]\d*)(\.\d{0,8}[1-9])?$/);
        expect(Number(text)).toBe(ns / 1e9);
      }),
    );
  });

  it("continues in a new piece, and cuts no line and no character", () => {
    const writer = new PageWriter();
    const line = `# HELP kvmgov_trial ${"é".repeat(50)}\n`;
    for (let at = 0; at < 2000; at++) writer.text(line);
    const pieces = writer.take();
    expect(pieces.length).toBeGreaterThan(2);
    for (const piece of pieces) expect(piece.toString()).toMatch(/^# HELP[^�]*\n$/);
    expect(Buffer.concat(pieces).toString()).toBe(line.repeat(2000));
  });

  it("takes a text that is longer than a piece", () => {
    const writer = new PageWriter();
    writer.text("short\n");
    writer.text("x".repeat(200_000));
    writer.series(name, Buffer.from("y".repeat(100_000)), 1);
    expect(pageOf(writer)).toBe(`short\n${"x".repeat(200_000)}kvmgov_trial${"y".repeat(100_000)} 1\n`);
  });

  it("takes back what was written since a place, however many pieces ago", () => {
    for (const lines of [0, 1, 5000]) {
      const writer = new PageWriter();
      for (let at = 0; at < 3000; at++) writer.text("kept kept kept kept kept\n");
      const place = writer.place;
      for (let at = 0; at < lines; at++) writer.text("taken back taken back taken back\n");
      writer.backTo(place);
      writer.text("end\n");
      expect(pageOf(writer)).toBe(`${"kept kept kept kept kept\n".repeat(3000)}end\n`);
    }
  });

  it("writes no more to what it gave", () => {
    const writer = new PageWriter();
    writer.text("first");
    const first = Buffer.concat(writer.take());
    writer.text("second");
    expect([String(first), pageOf(writer)]).toEqual(["first", "second"]);
  });
});
