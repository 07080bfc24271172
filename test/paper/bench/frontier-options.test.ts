/** Arguments of the frontier's benchmark: what they are when they are left out, and that wrong ones are refused by name. */
import { describe, expect, test } from "@jest/globals";
import { readFrontierOptions } from "./frontier-options.ts";
import { OptionsError } from "./options.ts";
import { WAYS } from "./ways.ts";

describe("arguments", () => {
  test("everything by default; the references always run, in the order of the table", () => {
    expect(readFrontierOptions([])).toMatchObject({
      rounds: 3,
      kernels: ["CG", "MG", "EP"],
      seconds: 3,
      size: "usual",
      out: undefined,
      ways: [...WAYS.keys()],
    });
    expect(readFrontierOptions(["--only", "idle+apart,default"]).ways).toEqual([
      "alone",
      "services",
      "default",
      "idle+apart",
    ]);
  });

  test("those that are given count", () => {
    const args = [
      "--seconds",
      "1.5",
      "--seed",
      "7",
      "--rounds",
      "2",
      "--json",
      "--out",
      "/tmp/../there",
      "--load",
      "over",
    ];
    expect(readFrontierOptions(args)).toMatchObject({
      seconds: 1.5,
      seed: 7,
      rounds: 2,
      json: true,
      out: "/there",
      size: "over",
    });
    expect(readFrontierOptions(["--seed", "0"]).json).toBe(false);
  });

  test.each([
    [["--only", "idle,nonsense"], '--only: "nonsense"'],
    [["--load", "huge"], '--load: "huge" is none of usual'],
    [["--rounds", "0"], "--rounds"],
    [["--kernels", "XX"], "--kernels"],
    [["--beta", "2"], "--beta"],
  ])("%j is refused by name", (args, named) => {
    expect(() => readFrontierOptions(args)).toThrow(OptionsError);
    expect(() => readFrontierOptions(args)).toThrow(named);
  });
});
