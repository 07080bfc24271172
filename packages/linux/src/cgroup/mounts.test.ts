import { describe, expect, it } from "@jest/globals";
import { parseCgroupMounts, readCgroupMounts } from "./mounts.ts";
import { HostTree, MOUNTINFO_V1, MOUNTINFO_V2 } from "./testing/host-tree.ts";

describe("mounts of control groups", () => {
  it("reads combined controllers, blanks in paths and a container's root", () => {
    const line = String.raw`33 24 0:30 /docker/ab /sys/fs/cgroup/cpu\040acct ro,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct`;
    expect(parseCgroupMounts(line)).toEqual([
      {
        version: 1,
        mountPoint: "/sys/fs/cgroup/cpu acct",
        root: "/docker/ab",
        controllers: ["cpu", "cpuacct"],
        readOnly: true,
      },
    ]);
  });

  it("takes v1 on a host whose v2 mount offers no controller that matters", () => {
    using tree = new HostTree(MOUNTINFO_V1);
    const mounts = readCgroupMounts(tree.roots);
    expect(mounts.get("cpu")).toMatchObject({ version: 1, mountPoint: tree.group("cpu") });
    expect(mounts.get("cpuset")).toMatchObject({ version: 1, mountPoint: tree.group("cpuset") });
    expect(mounts.get("hugetlb")).toMatchObject({ version: 2 });
    expect(mounts.has("systemd")).toBe(false);
  });

  it("takes v2 where it offers them", () => {
    using tree = new HostTree(MOUNTINFO_V2);
    expect(readCgroupMounts(tree.roots).get("cpu")).toMatchObject({
      version: 2,
      mountPoint: tree.group("").replace(/\/$/, ""),
    });
  });

  it("prefers the mount of the whole tree to a part of it", () => {
    const part = "50 31 0:29 /docker/ab /sys/fs/cgroup/part rw - cgroup cgroup rw,cpu";
    using tree = new HostTree(`${part}\n${MOUNTINFO_V1}`);
    expect(readCgroupMounts(tree.roots).get("cpu")?.mountPoint).toBe(tree.group("cpu"));
  });

  it("passes over lines that are no mounts", () => {
    expect(parseCgroupMounts("garbage\n1 2 3 - cgroup\n\n12 - cgroup2 x y\n")).toEqual([]);
  });
});
