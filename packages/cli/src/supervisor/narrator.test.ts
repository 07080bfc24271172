import { describe, expect, it } from "@jest/globals";
import { narrate, readLogLine, visible } from "./narrator.ts";

const time = "2026-01-02T03:04:05.678Z";

describe("readLogLine", () => {
  it("reads a service's JSON line", () => {
    const line = JSON.stringify({
      level: "info",
      time,
      service: "collector",
      event: "guest-found",
      msg: "guest web found",
    });
    expect(readLogLine("collector", line)).toMatchObject({
      event: "guest-found",
      msg: "guest web found",
      level: "info",
    });
  });

  it.each(["Segmentation fault", '"text"', "null", "{}"])("takes %s for an error line", (line) => {
    expect(readLogLine("actuator", line)).toMatchObject({ service: "actuator", level: "error", msg: line });
  });
});

describe("narrate", () => {
  const event = { service: "classifier", level: "info", time, msg: "web: LIST_se to LIST_sc" };

  it("tells what people want to know, with clock and service", () => {
    expect(narrate({ ...event, event: "guest-moved" })).toMatch(
      /^03:04:05Z {3}classifier web: LIST_se to LIST_sc$/,
    );
  });

  it("leaves out what is of no interest", () => {
    expect(narrate({ ...event, event: "tick" })).toBeUndefined();
    expect(narrate(event)).toBeUndefined();
  });

  it("never leaves out what is wrong", () => {
    expect(narrate({ ...event, level: "error" })).toContain(" ! ");
    expect(narrate({ ...event, level: "warn", event: "unheard-of" })).toContain(" ! ");
  });

  it("does not end over a line whose time is none", () => {
    expect(narrate({ ...event, time: "then", level: "warn" })).toBe(
      "--:--:--Z ! classifier web: LIST_se to LIST_sc",
    );
  });

  it("does not let a guest's name steer the terminal", () => {
    expect(narrate({ ...event, event: "guest-found", msg: 'guest a:b,c="d"\n\u001b[2J found' })).toContain(
      'guest a:b,c="d"\\n\\u001b[2J found',
    );
  });
});

it("makes control characters visible and leaves the rest", () => {
  expect(visible("ü 😀 a:b\n\t\u009b[2J")).toBe("ü 😀 a:b\\n\\u0009\\u009b[2J");
});
