import { describe, expect, it } from "@jest/globals";
import { allowedCpusOf, exemptReasonOf } from "./exemption.ts";

describe("exemptReasonOf", () => {
  const none = { realtime: false, cpuPm: false };
  it.each([
    ["one vCPU pinned to one CPU", [[3]], "dedicated"],
    ["each vCPU pinned to a CPU of its own", [[2], [3], [7]], "dedicated"],
    ["two vCPUs on one CPU", [[2], [2]], undefined],
    ["one vCPU may move", [[2], [3, 4]], undefined],
    ["one vCPU is not pinned", [[2], undefined], undefined],
    [
      "a set of as many CPUs as vCPUs",
      [
        [2, 3],
        [2, 3],
      ],
      undefined,
    ],
    ["nothing is pinned", [undefined], undefined],
  ])("%s", (_what, pins, reason) => {
    expect(exemptReasonOf({ ...none, pins })).toBe(reason);
  });

  it("names what matters most", () => {
    expect(exemptReasonOf({ realtime: true, cpuPm: true, pins: [[1]] })).toBe("realtime");
    expect(exemptReasonOf({ realtime: false, cpuPm: true, pins: [[1]] })).toBe("cpu-pm");
  });
});

describe("allowedCpusOf", () => {
  it("is the union, unless a vCPU may run anywhere", () => {
    expect(allowedCpusOf([[9], [2, 3], [3]])).toEqual([2, 3, 9]);
    expect(allowedCpusOf([[9], undefined])).toBeUndefined();
    expect(allowedCpusOf([undefined])).toBeUndefined();
  });
});
