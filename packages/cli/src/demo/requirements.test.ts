import { describe, expect, it } from "@jest/globals";
import { RequirementError, checkRequirements } from "./requirements.ts";
import type { Surroundings } from "./requirements.ts";

const fine: Surroundings = {
  uid: 0,
  platform: "linux",
  isWritable: () => true,
  controllers: () => new Set(["cpu", "cpuset"]),
};

describe("requirements of the demo", () => {
  it("are met as root with KVM and control groups", () => {
    expect(() => checkRequirements(fine)).not.toThrow();
  });

  it.each<[string, Partial<Surroundings>]>([
    ["sudo npm run demo", { uid: 1000 }],
    ["modprobe kvm_intel", { isWritable: () => false }],
    ["control groups with cpuset", { controllers: () => new Set(["cpu"]) }],
    ["needs Linux", { platform: "darwin" }],
  ])("say %j where it is missing", (hint, lacking) => {
    const check = (): void => checkRequirements({ ...fine, ...lacking });
    expect(check).toThrow(RequirementError);
    expect(check).toThrow(hint);
  });

  it("name all that is missing at once", () => {
    const check = (): void => checkRequirements({ ...fine, uid: 1000, controllers: () => new Set() });
    expect(check).toThrow(/root[^]*cpu and cpuset/);
  });
});
