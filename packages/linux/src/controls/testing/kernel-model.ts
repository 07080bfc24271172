/**
 * The kernel's rules for control files, in memory, as measured on 6.18 (v1) and read in cgroup-v2.rst: what it refuses with
 * which errno, and what it changes along with what was written.
 */
import { basename, dirname } from "node:path";
import { formatCpuList, parseCpuList } from "@kvm-governor/policy";
import { bandwidthValues, type BandwidthState } from "../bandwidth.ts";
import type { ControlIo } from "../kernel-io.ts";
import { affinityTid, type Write } from "../write.ts";

export interface ModelGroup {
  bandwidth: BandwidthState;
  /** Raw `cpu.shares` or `cpu.weight`. */
  weight: number;
  idle: boolean | undefined;
  /** Empty on v2: the parent's. */
  cpus: number[];
  tids: number[];
}

export interface ModelOptions {
  /** Kernels before May 2024 divide the burst by 1000 at every write of cpu.max. */
  hasBurstBug?: boolean;
  hasIdle?: boolean;
}

class KernelRefusal extends Error {
  readonly code: string;
  constructor(code: string, write: Write) {
    super(`${code}: ${write.text} to ${write.key}`);
    this.code = code;
  }
}

export class KernelModel implements ControlIo {
  readonly groups = new Map<string, ModelGroup>();
  readonly affinity = new Map<number, number[]>();
  readonly written: Write[] = [];
  /** Called after every write that was taken. */
  afterWrite: () => void = () => undefined;
  readonly #version: 1 | 2;
  readonly #options: ModelOptions;

  constructor(version: 1 | 2, options: ModelOptions = {}) {
    this.#version = version;
    this.#options = options;
  }

  addGroup(dir: string, group: Partial<ModelGroup> = {}): ModelGroup {
    const whole: ModelGroup = {
      bandwidth: { quotaUs: undefined, periodUs: 100_000, burstUs: 0 },
      weight: this.#version === 1 ? 1024 : 100,
      idle: this.#options.hasIdle === false ? undefined : false,
      cpus: this.#version === 1 ? [0, 1, 2, 3] : [],
      tids: [],
      ...group,
    };
    this.groups.set(dir, whole);
    return whole;
  }

  read(key: string): string | undefined {
    const tid = affinityTid(key);
    if (tid !== undefined) {
      const cpus = this.affinity.get(tid);
      return cpus === undefined ? undefined : formatCpuList(cpus);
    }
    const text = this.#fileText(key);
    return text === undefined ? undefined : `${text}\n`;
  }

  matches(key: string, expected: Buffer): boolean {
    return this.read(key) === expected.toString("utf8");
  }

  #fileText(key: string): string | undefined {
    const group = this.groups.get(dirname(key));
    if (group === undefined) return undefined;
    const bandwidth = bandwidthValues(this.#version, dirname(key), group.bandwidth).get(key);
    if (bandwidth !== undefined) return bandwidth;
    switch (basename(key)) {
      case this.#version === 1 ? "cpu.shares" : "cpu.weight":
        return String(group.idle === true ? (this.#version === 1 ? 3 : 0) : group.weight);
      case "cpu.idle":
        return group.idle === undefined ? undefined : group.idle ? "1" : "0";
      case "cpuset.cpus":
        return formatCpuList(group.cpus);
      case this.#version === 1 ? "cpuset.effective_cpus" : "cpuset.cpus.effective":
        return formatCpuList(this.#effective(dirname(key)));
      default:
        return undefined;
    }
  }

  write(write: Write): void {
    const refuse = (code: string): never => {
      throw new KernelRefusal(code, write);
    };
    if (write.op === "affinity") this.affinity.set(write.tid, [...write.cpus]);
    else if (write.op === "unit") this.#setUnit(write, refuse);
    else this.#writeFile(write, refuse);
    this.written.push(write);
    this.afterWrite();
  }

  forget(): void {
    this.written.length = 0;
  }

  close(): void {
    this.groups.clear();
  }

  #writeFile(write: Write, refuse: (code: string) => never): void {
    const dir = dirname(write.key);
    const group = this.groups.get(dir) ?? refuse("ENOENT");
    switch (basename(write.key)) {
      case "cpu.cfs_quota_us":
        return this.#setBandwidth(dir, { quotaUs: unlimited(write.text) }, refuse);
      case "cpu.cfs_period_us":
        return this.#setBandwidth(dir, { periodUs: Number(write.text) }, refuse);
      case "cpu.cfs_burst_us":
      case "cpu.max.burst":
        return this.#setBandwidth(dir, { burstUs: Number(write.text) }, refuse);
      case "cpu.max": {
        const [quota = "", period = ""] = write.text.split(" ");
        this.#setBandwidth(dir, { quotaUs: unlimited(quota), periodUs: Number(period) }, refuse);
        const { burstUs } = group.bandwidth;
        if (this.#options.hasBurstBug === true && burstUs !== undefined) {
          group.bandwidth.burstUs = Math.floor(burstUs / 1000);
        }
        return;
      }
      case "cpu.idle":
        return setIdle(group, write.text === "1", this.#version);
      case "cpu.shares":
      case "cpu.weight":
        return this.#setWeight(group, Number(write.text), refuse);
      case "cpuset.cpus":
        return this.#setCpus(dir, group, parseCpuList(write.text), refuse);
      case "cgroup.threads":
        return this.#move(group, Number(write.text), refuse);
      default:
        refuse("ENOENT");
    }
  }

  #setBandwidth(dir: string, change: Partial<BandwidthState>, refuse: (code: string) => never): void {
    const group = this.groups.get(dir) ?? refuse("ENOENT");
    const next = { ...group.bandwidth, ...change };
    if (next.quotaUs !== undefined && next.quotaUs < 1000) refuse("EINVAL");
    if (next.periodUs < 1000 || next.periodUs > 1_000_000) refuse("EINVAL");
    if ((next.burstUs ?? 0) > (next.quotaUs ?? Infinity)) refuse("EINVAL");
    const before = group.bandwidth;
    group.bandwidth = next;
    if (this.#version === 1 && !this.#ratiosFit()) {
      group.bandwidth = before;
      refuse("EINVAL");
    }
  }

  #ratiosFit(): boolean {
    return [...this.groups.keys()].every((dir) => {
      const own = this.#ratio(dir);
      return own === Infinity || own <= this.#ratioAbove(dir);
    });
  }

  #ratio(dir: string): number {
    const { quotaUs, periodUs } = this.groups.get(dir)?.bandwidth ?? { quotaUs: undefined, periodUs: 1 };
    return quotaUs === undefined ? Infinity : quotaUs / periodUs;
  }

  #ratioAbove(dir: string): number {
    const parent = dirname(dir);
    if (!this.groups.has(parent)) return Infinity;
    return this.#ratio(parent) === Infinity ? this.#ratioAbove(parent) : this.#ratio(parent);
  }

  #setWeight(group: ModelGroup, weight: number, refuse: (code: string) => never): void {
    if (group.idle === true) refuse("EINVAL");
    const [least, most] = this.#version === 1 ? [2, 262_144] : [1, 10_000];
    if (this.#version === 2 && (weight < least || weight > most)) refuse("ERANGE");
    group.weight = Math.min(most, Math.max(least, weight));
  }

  #setUnit(write: Write & { op: "unit" }, refuse: (code: string) => never): void {
    const dir = dirname(write.key);
    const group = this.groups.get(dir) ?? refuse("ENOENT");
    setIdle(group, write.value === "idle", this.#version);
    if (write.value !== "idle")
      this.#setWeight(group, write.value === "" ? 100 : Number(write.value), refuse);
  }

  #setCpus(dir: string, group: ModelGroup, cpus: number[], refuse: (code: string) => never): void {
    if (cpus.length === 0 && group.tids.length > 0) refuse("ENOSPC");
    if (this.#version === 1) {
      const parent = this.groups.get(dirname(dir));
      if (parent !== undefined && cpus.some((cpu) => !parent.cpus.includes(cpu))) refuse("EACCES");
      for (const [child, { cpus: theirs }] of this.groups) {
        if (dirname(child) === dir && theirs.some((cpu) => !cpus.includes(cpu))) refuse("EBUSY");
      }
    }
    group.cpus = cpus;
    // Kernels before 6.2 forget what a thread asked for itself.
    for (const tid of group.tids) this.affinity.set(tid, this.#effective(dir));
  }

  #effective(dir: string): number[] {
    const group = this.groups.get(dir);
    if (group === undefined) return [0, 1, 2, 3];
    const above = this.#effective(dirname(dir));
    const own = group.cpus.filter((cpu) => above.includes(cpu));
    return own.length === 0 ? above : own;
  }

  #move(to: ModelGroup, tid: number, refuse: (code: string) => never): void {
    if (!this.affinity.has(tid)) refuse("ESRCH");
    for (const group of this.groups.values()) group.tids = group.tids.filter((other) => other !== tid);
    to.tids = [...to.tids, tid];
  }
}

/** Leaving idle gives the default weight; entering it again changes nothing. */
function setIdle(group: ModelGroup, idle: boolean, version: 1 | 2): void {
  if (group.idle === true && !idle) group.weight = version === 1 ? 1024 : 100;
  group.idle = idle;
}

const unlimited = (text: string): number | undefined =>
  text === "max" || Number(text) < 0 ? undefined : Number(text);
