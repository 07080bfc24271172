/** A host's /proc and /sys/fs/cgroup as files in a directory, for tests: which thread is in which group. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { KernelRoots } from "../mounts.ts";

export interface TreeThread {
  pid: number;
  tid: number;
  /** Path of its group for each controller; `""` is v2. */
  groups: Record<string, string>;
  /** Path as /proc shows it, where it differs (private cgroup namespace). */
  shown?: Record<string, string>;
  comm?: string;
  kernelThread?: boolean;
}

export const MOUNTINFO_V1 = [
  "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
  "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu",
  "34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset",
  "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd",
  "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
].join("\n");

export const MOUNTINFO_V2 =
  "29 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot";

export class HostTree implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "kvmgov-tree-"));
  readonly roots: KernelRoots = { procRoot: join(this.dir, "proc"), sysRoot: join(this.dir, "sys") };

  constructor(mountinfo: string) {
    this.write("proc/self/mountinfo", `${mountinfo}\n`);
    this.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    this.write("sys/fs/cgroup/unified/cgroup.controllers", "hugetlb\n");
  }

  write(path: string, text: string): void {
    const file = join(this.dir, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  group(path: string): string {
    return join(this.dir, "sys/fs/cgroup", path);
  }

  /** Writes /proc and the groups' member lists. A v2 group below a scope is threaded, without `cgroup.procs`. */
  place(threads: readonly TreeThread[]): void {
    const members = new Map<string, TreeThread[]>();
    for (const thread of threads) {
      const lines = Object.entries(thread.shown ?? thread.groups).map(([name, path]) => `1:${name}:${path}`);
      const base = `proc/${thread.pid}/task/${thread.tid}`;
      this.write(`${base}/cgroup`, `${lines.join("\n")}\n`);
      this.write(`${base}/comm`, `${thread.comm ?? "qemu"}\n`);
      const flags = thread.kernelThread === true ? 0x0020_8040 : 0x0040_0140;
      const stat = `${thread.pid} (${thread.comm ?? "qemu"}) S 1 1 1 0 -1 ${flags} 0 0\n`;
      this.write(`proc/${thread.pid}/stat`, stat);
      for (const [name, path] of Object.entries(thread.groups)) {
        const key = join(name, path);
        members.set(key, [...(members.get(key) ?? []), thread]);
      }
    }
    for (const path of [...members.keys()].flatMap(ancestors)) {
      if (!members.has(path)) members.set(path, []);
    }
    for (const [path, of] of members) this.#writeMembers(path, of);
  }

  #writeMembers(path: string, threads: readonly TreeThread[]): void {
    const lines = (ids: Iterable<number>): string => [...ids].map((id) => `${id}\n`).join("");
    const tids = lines(threads.map((t) => t.tid));
    this.write(`sys/fs/cgroup/${path}/tasks`, tids);
    this.write(`sys/fs/cgroup/${path}/cgroup.threads`, tids);
    if (!path.includes("/libvirt/")) {
      this.write(`sys/fs/cgroup/${path}/cgroup.procs`, lines(new Set(threads.map((t) => t.pid))));
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }
}

function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === "." || parent === "/" ? [] : [parent, ...ancestors(parent)];
}
