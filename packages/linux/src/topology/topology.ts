/**
 * CPUs of the host from /sys/devices/system (Documentation/admin-guide/cputopology.rst, ABI sysfs-devices-system-cpu).
 * CPU numbers have holes, CPUs are offline, and small or virtual machines leave files out: what is not said is flat
 * (one package, one node, one cache).
 */
import { join } from "node:path";
import { parseCpuList } from "@kvm-governor/policy";
import type { CpuTopology } from "@kvm-governor/policy";
import { KeptFile } from "../host/kept-file.ts";
import { isVanished, listIfThere, readIfThere } from "../proc/read.ts";

/** /sys says something about CPUs that cannot be read; `file` names it. */
export class TopologyError extends Error {
  override readonly name = "TopologyError";
  readonly file: string;
  constructor(file: string, problem: string, options?: ErrorOptions) {
    super(`${file}: ${problem}`, options);
    this.file = file;
  }
}

/**
 * Reads all online CPUs, ascending.
 * @param sysRoot where sysfs is mounted
 * @throws {TopologyError}
 */
export function readTopology(sysRoot = "/sys"): CpuTopology[] {
  const cpuDir = join(sysRoot, "devices/system/cpu");
  const online = readOnlineCpus(sysRoot);
  const isOnline = new Set(online);
  const isolated = new Set(readList(join(cpuDir, "isolated")) ?? []);
  const nodes = readNodes(join(sysRoot, "devices/system/node"));
  const first = online[0] ?? 0;
  return online.map((cpu) => {
    const dir = join(cpuDir, `cpu${cpu}`);
    const siblings = [join(dir, "topology/core_cpus_list"), join(dir, "topology/thread_siblings_list")];
    const packageCpus = [join(dir, "topology/package_cpus_list"), join(dir, "topology/core_siblings_list")];
    const sharing = lastLevelCacheFile(dir);
    return {
      cpu,
      package: readPackage(join(dir, "topology/physical_package_id")),
      node: nodes.get(cpu) ?? 0,
      llc: lowestOnline(sharing === undefined ? packageCpus : [sharing], isOnline) ?? first,
      core: lowestOnline(siblings, isOnline) ?? cpu,
      isolated: isolated.has(cpu),
      ...readCapacity(join(dir, "cpu_capacity")),
    };
  });
}

/** CPUs that are online, ascending. @throws {TopologyError} */
export function readOnlineCpus(sysRoot = "/sys"): number[] {
  const file = join(sysRoot, "devices/system/cpu/online");
  const online = readList(file);
  if (online === undefined || online.length === 0) throw new TopologyError(file, "names no CPU");
  return online;
}

/** CPUs that guests may use, ascending: online and not taken from the scheduler by `isolcpus=`. */
export function usableCpus(topology: readonly CpuTopology[]): number[] {
  return topology.filter((each) => !each.isolated).map((each) => each.cpu);
}

/** The topology, read again only after a CPU went on- or offline. */
export class TopologyReader {
  readonly #sysRoot: string;
  /** Opened once: reading them costs a sixth then, and it happens several times a second. */
  readonly #files: readonly (KeptFile | undefined)[];
  #signature: string | undefined;
  #topology: readonly CpuTopology[] = [];
  #usable: readonly number[] = [];

  constructor(sysRoot = "/sys") {
    this.#sysRoot = sysRoot;
    this.#files = ["online", "isolated"].map((name) =>
      openIfThere(join(sysRoot, "devices/system/cpu", name)),
    );
  }

  /** Of the last reading; empty before the first. */
  get last(): readonly CpuTopology[] {
    return this.#topology;
  }

  /**
   * @returns the same arrays as before where nothing changed
   * @throws {TopologyError}
   */
  read(): { topology: readonly CpuTopology[]; usable: readonly number[]; isChanged: boolean } {
    const signature = this.#files.map((file) => file?.read()).join("\n");
    const isChanged = signature !== this.#signature;
    if (isChanged) {
      this.#topology = readTopology(this.#sysRoot);
      this.#usable = usableCpus(this.#topology);
      this.#signature = signature;
    }
    return { topology: this.#topology, usable: this.#usable, isChanged };
  }

  close(): void {
    for (const file of this.#files) file?.close();
  }
}

function openIfThere(path: string): KeptFile | undefined {
  try {
    return new KeptFile(path);
  } catch (error) {
    if (isVanished(error)) return undefined;
    throw error;
  }
}

function readNodes(nodeDir: string): Map<number, number> {
  const nodes = new Map<number, number>();
  for (const name of listIfThere(nodeDir) ?? []) {
    const node = /^node(\d+)$/.exec(name)?.[1];
    if (node === undefined) continue;
    for (const cpu of readList(join(nodeDir, name, "cpulist")) ?? []) nodes.set(cpu, Number(node));
  }
  return nodes;
}

/** -1 where the firmware does not say (some ARM boards). */
function readPackage(file: string): number {
  const text = readIfThere(file);
  if (text === undefined) return -1;
  const id = Number(text.trim());
  // Firmware that does not know prints -1, some as an unsigned number.
  return Number.isInteger(id) && id >= 0 && id < 2 ** 31 ? id : -1;
}

/** Where cores differ in speed (arm64, RISC-V, newer x86); absent elsewhere (ABI sysfs-devices-system-cpu). */
function readCapacity(file: string): Pick<CpuTopology, "capacity"> {
  const capacity = Number(readIfThere(file)?.trim());
  return capacity > 0 && capacity <= 65_536 ? { capacity } : {};
}

/** File that lists the CPUs of the highest cache level that holds data; undefined where the kernel knows no caches. */
function lastLevelCacheFile(cpuDir: string): string | undefined {
  let best: { level: number; file: string } | undefined;
  for (const name of listIfThere(join(cpuDir, "cache")) ?? []) {
    if (!name.startsWith("index")) continue;
    const dir = join(cpuDir, "cache", name);
    const level = Number(readIfThere(join(dir, "level"))?.trim());
    if (!Number.isInteger(level) || readIfThere(join(dir, "type"))?.trim() === "Instruction") continue;
    if (best === undefined || level > best.level) best = { level, file: join(dir, "shared_cpu_list") };
  }
  return best?.file;
}

/** Lowest online CPU of the first of these lists that exists. */
function lowestOnline(files: readonly string[], isOnline: ReadonlySet<number>): number | undefined {
  for (const file of files) {
    const lowest = readList(file)?.find((cpu) => isOnline.has(cpu));
    if (lowest !== undefined) return lowest;
  }
  return undefined;
}

function readList(file: string): number[] | undefined {
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  try {
    return parseCpuList(text);
  } catch (cause) {
    throw new TopologyError(file, cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
