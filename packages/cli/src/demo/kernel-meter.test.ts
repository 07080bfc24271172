import { describe, expect, it } from "@jest/globals";
import {
  GuestMeter,
  KernelTextError,
  parseHostIdleNs,
  parseSchedstat,
  parseSwitches,
} from "./kernel-meter.ts";

describe("the kernel's files", () => {
  it("are understood", () => {
    expect(parseSchedstat("5153924000 2237000 812\n")).toEqual({ runNs: 5_153_924_000, delayNs: 2_237_000 });
    const status = "Name:\tCPU 0/KVM\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";
    expect(parseSwitches(status)).toBe(695);
    expect(parseHostIdleNs("cpu  100 0 50 300 20 0 1 0 0 0\ncpu0 1 2 3 4 5 6 7\n")).toBe(3_200_000_000);
  });

  it.each([
    ["schedstat", () => parseSchedstat("")],
    ["schedstat", () => parseSchedstat("1 2\n")],
    ["status", () => parseSwitches("Name:\tx\nvoluntary_ctxt_switches:\t150\n")],
    ["/proc/stat", () => parseHostIdleNs("cpu0 1 2 3 4 5\n")],
  ])("%s is refused where it is not what is documented", (file, parse) => {
    expect(parse).toThrow(KernelTextError);
    expect(parse).toThrow(file);
  });

  it("show what this thread does", () => {
    const meter = new GuestMeter([process.pid]);
    const from = meter.read();
    const until = performance.now() + 60;
    while (performance.now() < until);
    const to = meter.read();
    meter.close();
    const ranMs = (to.runNs - from.runNs) / 1e6 + (to.delayNs - from.delayNs) / 1e6;
    expect(ranMs).toBeGreaterThan(45);
    expect(ranMs).toBeLessThan(to.atMs - from.atMs + 15);
    expect(to.switches).toBeGreaterThanOrEqual(from.switches);
  });

  it("say which thread is gone", () => {
    expect(() => new GuestMeter([4_194_304])).toThrow("4194304");
  });
});
