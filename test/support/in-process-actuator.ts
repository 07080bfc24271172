/** The whole actuator in this process, without a bus: every plan is handed to it, every report comes back. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  AuditLog,
  bootTimeUs,
  HoldingMark,
  HostLock,
  Journal,
  KERNEL_ROOTS,
  KernelIo,
  LiveProcesses,
  NODE_FILES,
  readBootId,
  readCgroupMounts,
  type ControlIo,
  type FileLayer,
  type Guest,
} from "@kvm-governor/linux";
import type { Applied, Plan } from "@kvm-governor/policy";
import { createLogger, TRACING_OFF, type Logger, type Tracing } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { Actuator } from "../../services/actuator/src/actuator.ts";
import { limitsSchema } from "../../services/actuator/src/limits/index.ts";
import { createMetrics } from "../../services/actuator/src/metrics.ts";

export interface InProcessOptions {
  guests: () => readonly Guest[];
  io?: ControlIo;
  /** For state and heartbeat; by default a new one. Removed at the end. */
  dir?: string;
  /** As in the configuration. */
  limits?: object;
  journalFiles?: FileLayer;
  auditFiles?: FileLayer;
  /** CPU list of those that are online, in the place of this machine's. */
  onlineCpus?: string;
  /** Monotonic time passes by skip() alone. */
  standsStill?: boolean;
  /** By default silent. */
  log?: Logger;
  /** By default off. */
  tracing?: Tracing;
  /** Where reports go beside report(). */
  publish?: (applied: Applied) => Promise<void>;
}

export const HOST = "testhost";

export const scratchDir = (): string => mkdtempSync(path.join(tmpdir(), `kvmgov-in-process-${process.pid}-`));

export class InProcessActuator implements AsyncDisposable {
  readonly dir: string;
  /** In memory, as /run is on a host. */
  readonly #runDir = mkdtempSync(path.join("/dev/shm", `kvmgov-in-process-${process.pid}-`));
  readonly #sysRoot = path.join(this.#runDir, "sys");
  readonly actuator: Actuator;
  readonly audit: AuditLog;
  readonly #io: ControlIo;
  readonly #lock: HostLock;
  readonly #journal: Journal;
  readonly #processes = new LiveProcesses(KERNEL_ROOTS.procRoot);
  #last: Applied | undefined;
  #generation = 0;
  #skippedMs = 0;

  constructor(options: InProcessOptions) {
    const dir = options.dir ?? scratchDir();
    this.dir = dir;
    if (options.onlineCpus !== undefined) this.setOnlineCpus(options.onlineCpus);
    const bootId = readBootId();
    this.#io = options.io ?? new KernelIo("write");
    this.#lock = new HostLock(dir);
    this.#journal = new Journal(dir, Date.now, options.journalFiles);
    this.#journal.attach(new HoldingMark(this.#runDir, bootId));
    const files = options.auditFiles ?? NODE_FILES;
    this.audit = new AuditLog({ stateDir: dir, nowMs: Date.now, files });
    const limits = limitsSchema.parse(options.limits ?? {});
    this.actuator = new Actuator({
      host: HOST,
      processes: this.#processes,
      context: {
        io: this.#io,
        roots: options.onlineCpus === undefined ? KERNEL_ROOTS : { ...KERNEL_ROOTS, sysRoot: this.#sysRoot },
        mounts: readCgroupMounts(),
        bootId,
        hasSystemd: false,
        journal: this.#journal,
        audit: this.audit,
        limits: () => limits,
        onlineCpus: () => [0, 1],
        nowMs: () => (options.standsStill === true ? 0 : performance.now()) + this.#skippedMs,
        onDrift: () => "reassert",
        tracing: options.tracing ?? TRACING_OFF,
      },
      lock: this.#lock,
      runDir: this.#runDir,
      handsOff: () => undefined,
      nowUs: () => bootTimeUs() + this.#skippedMs * 1000,
      guests: options.guests,
      exemption: () => undefined,
      planTtlMsMax: () => 600_000,
      publish: (applied) => {
        this.#last = applied;
        return options.publish?.(applied) ?? Promise.resolve();
      },
      metrics: createMetrics(new Registry()),
      log: options.log ?? createLogger("actuator", "silent"),
    });
  }

  /** Lets time pass for the actuator. */
  skip(ms: number): void {
    this.#skippedMs += ms;
  }

  /** CPUs go off- and online. */
  setOnlineCpus(cpuList: string): void {
    const dir = path.join(this.#sysRoot, "devices/system/cpu");
    mkdirSync(dir, { recursive: true });
    writeFileSync(path.join(dir, "online"), `${cpuList}\n`);
  }

  /** A plan of a new generation; the bytes are what would come over the bus. */
  plan(guests: Plan["guests"], overrides: Partial<Plan> = {}): Plan {
    const now = bootTimeUs();
    const base = { schema: 1, host: HOST, bootId: readBootId(), preset: "test" } as const;
    const times = { sequence: now, expiresAtUs: now + 60_000_000 };
    return { ...base, ...times, generation: ++this.#generation, guests, ...overrides };
  }

  async apply(plan: Plan): Promise<Applied> {
    await this.actuator.receive(Buffer.from(JSON.stringify(plan)));
    return this.report();
  }

  /** The report of what was done last. */
  async report(): Promise<Applied> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#last === undefined) throw new Error("there is no report");
    return this.#last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const isAllBack = await this.actuator.stop();
    this.#journal.dispose();
    this.audit.release();
    this.#processes.close();
    this.#io.close();
    this.#lock[Symbol.dispose]();
    for (const made of [this.dir, this.#runDir]) rmSync(made, { recursive: true });
    if (!isAllBack) throw new Error("not every guest is as it was before");
  }
}
