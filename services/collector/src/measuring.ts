/** Everything that reads the kernel, put together for one host. */
import {
  bootTimeUs,
  GuestSampler,
  GuestWatcher,
  HostCounters,
  HostReader,
  locateGuest,
  MemoryNodes,
  openCounterContext,
  readBootId,
  readCgroupMounts,
  Sampler,
  Sources,
  TopologyReader,
  type CgroupMounts,
  type HostCounterContext,
} from "@kvm-governor/linux";

export interface MeasuringOptions {
  host: string;
  procRoot: string;
  sysRoot: string;
  libvirtRunDir: string;
  /** See `FirstSight`. */
  firstSightFile: string;
  /** False: as if perf were refused. */
  perf: boolean;
  /** Monotonic clock in milliseconds. */
  nowMs: () => number;
}

export interface Measuring {
  bootId: string;
  mounts: CgroupMounts;
  context: HostCounterContext;
  sources: Sources;
  watcher: GuestWatcher;
  guests: GuestSampler;
  hostReader: HostReader;
  topology: TopologyReader;
  /** Where guests' memory lies: to be told of the guests at each tick. */
  memory: MemoryNodes;
  sampler: Sampler;
  close(): void;
}

/** @throws errors of a host whose /proc or /sys cannot be read at all */
export function startMeasuring(options: MeasuringOptions): Measuring {
  const { host, procRoot, sysRoot, libvirtRunDir, firstSightFile, nowMs } = options;
  const bootId = readBootId(procRoot);
  const mounts = readCgroupMounts({ procRoot, sysRoot });
  const context = openCounterContext({ procRoot, perf: options.perf });
  const sources = new Sources(nowMs);
  const watcher = new GuestWatcher({ procRoot, sysRoot, libvirtRunDir, firstSightFile });
  const hostReader = new HostReader(procRoot);
  const topology = new TopologyReader(sysRoot);
  const guests = new GuestSampler({
    context,
    locate: (guest) => locateGuest(guest, { procRoot, sysRoot, mounts }),
    sources,
    nowMs,
  });
  const memory = new MemoryNodes({
    procRoot,
    locate: (guest) => {
      const group = locateGuest(guest, { procRoot, sysRoot, mounts, controllers: ["memory"] })?.memory;
      return group?.guest === undefined ? undefined : { dir: group.guest, version: group.version };
    },
    nodes: () => new Set(topology.last.map(({ node }) => node)).size,
    nowMs,
    onPass: (durationMs, errors) => sources.record("memory-nodes", durationMs, errors),
  });
  const sampler = new Sampler({
    host,
    bootId,
    guests,
    hostCounters: new HostCounters(hostReader, topology, sources),
    clocks: { bootTimeUs, wallTimeMs: Date.now },
    memoryOf: (guest) => memory.of(guest),
  });
  return {
    bootId,
    mounts,
    context,
    sources,
    watcher,
    guests,
    hostReader,
    topology,
    memory,
    sampler,
    close: () => {
      guests.close();
      watcher.close();
      hostReader.close();
    },
  };
}
