/** For tests: a /proc, /sys and libvirt directory of plain files, whose processes come, go and change on demand. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { GuestWatcherOptions } from "../watcher.ts";

export interface FakeThread {
  comm: string;
  /** Scheduling policy; default SCHED_OTHER. */
  policy?: number;
  /** Default: all CPUs of the host. */
  allowed?: string;
}

export interface FakeProcess {
  /** Arguments after argv[0]. */
  args: readonly string[];
  /** In clock ticks; the fake clock starts at 1000 s. */
  startTime: number;
  threads: Readonly<Record<number, FakeThread>>;
  state?: string;
  exe?: string;
}

export class FakeHost implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "kvmgov-fake-"));
  nowUs = 1_000_000_000;

  constructor(online = "0-7") {
    this.write("proc/sys/kernel/random/boot_id", "00000000-0000-4000-8000-000000000001\n");
    this.write("sys/devices/system/cpu/online", `${online}\n`);
    mkdirSync(join(this.root, "run"));
  }

  get options(): GuestWatcherOptions {
    return {
      procRoot: join(this.root, "proc"),
      sysRoot: join(this.root, "sys"),
      libvirtRunDir: join(this.root, "run"),
      nowUs: () => this.nowUs,
    };
  }

  /** Moves the clock. */
  pass(milliseconds: number): void {
    this.nowUs += milliseconds * 1000;
  }

  write(file: string, text: string): void {
    const path = join(this.root, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  remove(file: string): void {
    rmSync(join(this.root, file), { recursive: true });
  }

  /** Starts a process, or replaces the one that has this id. */
  run(pid: number, process: FakeProcess): void {
    const dir = `proc/${pid}`;
    rmSync(join(this.root, dir), { recursive: true, force: true });
    const exe = process.exe ?? "/usr/bin/qemu-system-x86_64";
    this.write(`${dir}/cmdline`, [exe, ...process.args].map((arg) => `${arg}\0`).join(""));
    symlinkSync(exe, join(this.root, dir, "exe"));
    for (const [tid, thread] of Object.entries(process.threads)) {
      this.thread(pid, Number(tid), thread, process.startTime, process.state);
    }
  }

  /** Adds a thread, or changes it. */
  thread(pid: number, tid: number, thread: FakeThread, startTime: number, state = "S"): void {
    const dir = `proc/${pid}/task/${tid}`;
    const { comm, policy = 0, allowed = "0-63" } = thread;
    const zeros = (count: number): string => Array(count).fill("0").join(" ");
    this.write(`${dir}/comm`, `${comm}\n`);
    this.write(
      `${dir}/stat`,
      `${tid} (${comm}) ${state} ${zeros(18)} ${startTime} ${zeros(18)} ${policy} 0 0\n`,
    );
    this.write(`${dir}/status`, `Name:\t${comm}\nPid:\t${tid}\nCpus_allowed_list:\t${allowed}\n`);
  }

  /** Writes a status file as libvirt does: a new file, renamed over the old one. */
  status(name: string, xml: string): void {
    this.write(`run/${name}.xml.new`, xml);
    renameSync(join(this.root, `run/${name}.xml.new`), join(this.root, `run/${name}.xml`));
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }
}

/** A bare guest with named threads: main loop at `pid`, vCPUs from `pid + 1`. */
export function fakeGuest(
  pid: number,
  name: string,
  parts: { vcpus?: number; args?: string[]; startTime?: number } = {},
): FakeProcess {
  const vcpus = Array.from({ length: parts.vcpus ?? 1 }, (_, at) => [
    pid + 1 + at,
    { comm: `CPU ${at}/KVM` },
  ]);
  return {
    args: ["-name", `guest=${name.replaceAll(",", ",,")},debug-threads=on`, ...(parts.args ?? [])],
    startTime: parts.startTime ?? 90_000,
    threads: { [pid]: { comm: "qemu-system-x86" }, ...Object.fromEntries(vcpus) } as Record<
      number,
      FakeThread
    >,
  };
}

/** A status file of a running guest with one vCPU at `pid + 1`. */
export function fakeStatus(pid: number, name: string, uuid: string, inside = ""): string {
  return `<domstatus state='running' pid='${pid}'><vcpus><vcpu id='0' pid='${pid + 1}'/></vcpus>
    <domain><name>${name}</name><uuid>${uuid}</uuid><vcpu>1</vcpu>${inside}</domain></domstatus>`;
}
