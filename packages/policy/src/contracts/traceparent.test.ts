import { describe, expect, it } from "@jest/globals";
import { parseTraceparent } from "./traceparent.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

describe("a traceparent", () => {
  it("has a trace, a span and flags", () => {
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-01`)).toEqual({
      traceId: TRACE,
      spanId: SPAN,
      traceFlags: 1,
    });
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-ff`)?.traceFlags).toBe(255);
  });

  it.each([
    ["empty", ""],
    ["cut off", `00-${TRACE}-${SPAN}`],
    ["of a version that we do not write", `01-${TRACE}-${SPAN}-01`],
    ["of no trace", `00-${"0".repeat(32)}-${SPAN}-01`],
    ["of no span", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["in capitals", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ["longer", `00-${TRACE}-${SPAN}-01-more`],
    ["two lines", `00-${TRACE}-${SPAN}-01\n`],
    ["with a blank", ` 00-${TRACE}-${SPAN}-01`],
    ["very long", "0".repeat(1_000_000)],
    ["hostile", "00-\u0000-__proto__-01"],
  ])("is none where it is %s", (_what, text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });
});
