import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { isRealtimePolicy, parseProcStat, ProcParseError, statusField } from "./stat.ts";

/** As the kernel printed it for the second vCPU thread of a real guest. */
const line = (comm: string, policy = 0): string =>
  `1128 (${comm}) S 1 1118 1118 0 -1 4194368 12 0 0 0 93 17 0 0 20 0 5 0 210053 310566912 8413 18446744073709551615 0 0 0 0 0 0 268444224 4096 16963 1 0 0 -1 1 0 ${policy} 0 0 0 0 0 0 0 0 0 0 0\n`;

describe("parseProcStat", () => {
  it("reads the fields by the numbers of the manual page", () => {
    expect(parseProcStat(line("CPU 1/KVM", 6))).toEqual({
      pid: 1128,
      comm: "CPU 1/KVM",
      state: "S",
      threads: 5,
      startTime: 210053,
      processor: 1,
      policy: 6,
    });
  });

  it("gives the same fields whatever the name holds", () => {
    const nasty = fc.string({ unit: fc.constantFrom(..."() R1\n\"'/"), maxLength: 15 });
    fc.assert(
      fc.property(nasty, (comm) => {
        expect(parseProcStat(line(comm))).toEqual({ ...parseProcStat(line("x")), comm });
      }),
    );
  });

  it("refuses a line that is cut anywhere before the last field it needs", () => {
    const whole = line("CPU 1/KVM");
    const end = whole.lastIndexOf(" 0 0 0 0 0 0 0 0 0 0 0 0");
    for (let length = 0; length < end; length++) {
      // A cut inside a number still is a number: only what no longer has the field can be refused.
      if (whole.slice(0, length).trim().split(" ").length >= 42) continue;
      expect(() => parseProcStat(whole.slice(0, length))).toThrow(ProcParseError);
    }
  });
});

describe("isRealtimePolicy", () => {
  it("is FIFO, RR and DEADLINE", () => {
    expect([0, 1, 2, 3, 5, 6, 7].filter(isRealtimePolicy)).toEqual([1, 2, 6]);
  });
});

describe("statusField", () => {
  const text = "Name:\tCpus_allowed_list:\\n\nPid:\t12\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n";
  it("reads one line", () => {
    expect(statusField(text, "Cpus_allowed_list")).toBe("0-1");
    expect(statusField(text, "Pid")).toBe("12");
    expect(statusField(text, "Threads")).toBeUndefined();
  });
});
