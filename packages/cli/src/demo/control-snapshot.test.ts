import { describe, expect, it } from "@jest/globals";
import { differences } from "./control-snapshot.ts";

const file = "/sys/fs/cgroup/cpu/machine/qemu-1-web/cpu.shares";
const thread = "/proc/12/task/13 affinity";

describe("differences of what the kernel holds guests to", () => {
  it("are none where every byte is the same", () => {
    expect(differences(new Map([[file, "1024\n"]]), new Map([[file, "1024\n"]]))).toEqual([]);
  });

  it("name the file with both values, and files that came or went", () => {
    const found = differences(
      new Map([[file, "1024\n"]]),
      new Map([
        [file, "1024"],
        ["/sys/other", "1"],
      ]),
    );
    expect(found).toEqual([`${file}: was "1024\\n", is "1024"`, '/sys/other: was absent, is "1"']);
  });

  it("are affinities of threads that live on, not threads that came or went", () => {
    const before = new Map([
      [thread, "0,1"],
      ["/proc/12/task/14 affinity", "0"],
    ]);
    const after = new Map([
      [thread, "1"],
      ["/proc/12/task/15 affinity", "0"],
    ]);
    expect(differences(before, after)).toEqual([`${thread}: was "0,1", is "1"`]);
  });
});
