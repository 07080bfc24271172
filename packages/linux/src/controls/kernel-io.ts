/** Reads and writes control files and affinities. Descriptors stay open: a read is then one system call. */
import { execFile, type ExecFileException } from "node:child_process";
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import { formatCpuList } from "@kvm-governor/policy";
import { isGone } from "../cgroup/mounts.ts";
import { errorCode } from "../proc/read.ts";
import { getAffinity, setAffinity } from "../native/libc.ts";
import { affinityTid, type Values, type Write } from "./write.ts";

/** What the actuator needs of a kernel; tests put a model in its place. */
export interface ControlIo {
  /** Raw bytes of a control file (newline included), or a thread's CPU list; undefined where it is gone. */
  read(key: string): string | undefined;
  /** Whether `read` would give exactly these bytes; cheaper, where nothing needs to be decoded. */
  matches(key: string, expected: Buffer): boolean;
  /** @throws Error with `code` and `errno` where the kernel refuses */
  write(write: Write): void | Promise<void>;
  /** Closes what is open below groups whose guest is gone. */
  forget(dirs: readonly string[]): void;
  close(): void;
}

/** A write that the kernel refused, and what it was. */
export class ControlWriteError extends Error {
  override readonly name = "ControlWriteError";
  readonly code: string;
  readonly errno: number | undefined;
  constructor(write: Write, cause: unknown) {
    const { code, errno, message } = cause as NodeJS.ErrnoException;
    super(`writing ${JSON.stringify(write.text)} to ${write.key}: ${said(cause) ?? code ?? message}`, {
      cause,
    });
    this.code = typeof code === "string" ? code : "EUNKNOWN";
    // Node negates it, a system call of our own does not.
    this.errno = errno === undefined ? undefined : Math.abs(errno);
  }
}

/** What a program that failed said of it: its `code` is but the exit status, and absent where it was ended for its time. */
function said(cause: unknown): string | undefined {
  const { cmd, stderr = "", killed, code } = cause as Partial<ExecFileException> & { stderr?: string };
  if (cmd === undefined || typeof code === "string") return undefined;
  const [line = ""] = stderr.trim().split("\n");
  return `${cmd}: ${killed === true ? "took too long" : line === "" ? `exit code ${code}` : line}`;
}

/** A cpuset of thousands of CPUs, each named singly, still fits. */
const READ_BYTES = 65_536;
const run = promisify(execFile);

export class KernelIo implements ControlIo {
  readonly #descriptors = new Map<string, number>();
  readonly #buffer = Buffer.alloc(READ_BYTES);
  readonly #flags: number;

  /** @param mode `read`: for dry runs, opens nothing for writing */
  constructor(mode: "read" | "write") {
    this.#flags = mode === "write" ? constants.O_RDWR : constants.O_RDONLY;
  }

  read(key: string): string | undefined {
    try {
      const tid = affinityTid(key);
      if (tid !== undefined) return formatCpuList(getAffinity(tid));
      const length = readSync(this.#descriptor(key), this.#buffer, 0, READ_BYTES, 0);
      return this.#buffer.toString("utf8", 0, length);
    } catch (error) {
      if (!isGone(error)) throw error;
      this.#drop(key);
      return undefined;
    }
  }

  matches(key: string, expected: Buffer): boolean {
    // Affinities are not files.
    if (key.startsWith("affinity ")) return this.read(key) === expected.toString("utf8");
    try {
      const length = readSync(this.#descriptor(key), this.#buffer, 0, expected.length + 1, 0);
      return length === expected.length && this.#buffer.compare(expected, 0, length, 0, length) === 0;
    } catch (error) {
      if (!isGone(error)) throw error;
      this.#drop(key);
      return false;
    }
  }

  async write(write: Write): Promise<void> {
    try {
      if (write.op === "affinity") setAffinity(write.tid, write.cpus);
      else if (write.op === "unit") await setUnitProperty(write.unit, write.property, write.value);
      else writeSync(this.#descriptor(write.key), write.text === "" ? "\n" : write.text, 0);
    } catch (error) {
      if (isGone(error)) this.#drop(write.key);
      throw new ControlWriteError(write, error);
    }
  }

  forget(dirs: readonly string[]): void {
    for (const key of [...this.#descriptors.keys()]) {
      if (dirs.some((dir) => key.startsWith(`${dir}/`))) this.#drop(key);
    }
  }

  get openCount(): number {
    return this.#descriptors.size;
  }

  close(): void {
    for (const key of [...this.#descriptors.keys()]) this.#drop(key);
  }

  #descriptor(path: string): number {
    const open = this.#descriptors.get(path);
    if (open !== undefined) return open;
    const descriptor = this.#open(path);
    this.#descriptors.set(path, descriptor);
    return descriptor;
  }

  /** Files that are only read (`cpuset.effective_cpus` is 0444) do not open for writing without CAP_DAC_OVERRIDE. */
  #open(path: string): number {
    try {
      return openSync(path, this.#flags);
    } catch (error) {
      if (errorCode(error) !== "EACCES" || this.#flags === constants.O_RDONLY) throw error;
      return openSync(path, constants.O_RDONLY);
    }
  }

  #drop(path: string): void {
    const descriptor = this.#descriptors.get(path);
    this.#descriptors.delete(path);
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** `--runtime`: gone with the next boot; survives daemon-reload, which a write to the file does not. */
async function setUnitProperty(unit: string, property: string, value: string): Promise<void> {
  await run("systemctl", ["set-property", "--runtime", "--", unit, `${property}=${value}`], {
    timeout: 5000,
  });
}

/** Values of keys as the planner takes them: without the final newline. Keys that are gone are left out. */
export function readValues(io: Pick<ControlIo, "read">, keys: Iterable<string>): Values {
  const values = new Map<string, string>();
  for (const key of keys) {
    const raw = io.read(key);
    if (raw !== undefined) values.set(key, withoutNewline(raw));
  }
  return values;
}

export const withoutNewline = (raw: string): string => (raw.endsWith("\n") ? raw.slice(0, -1) : raw);
