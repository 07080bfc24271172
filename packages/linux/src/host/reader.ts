/** The host's own figures at one moment, through files that stay open. */
import { join } from "node:path";
import { errorCode } from "../proc/read.ts";
import { parseCpuTimes } from "./cpu-times.ts";
import type { CpuTimes } from "./cpu-times.ts";
import { KeptFile } from "./kept-file.ts";
import { parseCpuPressure } from "./pressure.ts";
import type { CpuPressure } from "./pressure.ts";

/** Kernels without PSI: built without it (no file), or switched off by `psi=0` (EOPNOTSUPP at open or read). */
const NO_PSI = new Set(["ENOENT", "EOPNOTSUPP", "ENOTSUP"]);

export class HostReader implements Disposable {
  readonly #stat: KeptFile;
  readonly #pressure: KeptFile | undefined;
  /** Why there is no pressure, as an errno; undefined where there is. */
  readonly noPressure: string | undefined;

  /** @throws errors of opening /proc/stat, or of /proc/pressure/cpu other than that there is none */
  constructor(procRoot = "/proc") {
    this.#stat = new KeptFile(join(procRoot, "stat"));
    try {
      this.#pressure = openReadable(join(procRoot, "pressure/cpu"));
    } catch (error) {
      const code = errorCode(error);
      if (code === undefined || !NO_PSI.has(code)) throw error;
      this.noPressure = code;
    }
  }

  /** @throws {ProcParseError} */
  cpuTimes(): CpuTimes[] {
    return parseCpuTimes(this.#stat.read());
  }

  /** undefined on a kernel without PSI. */
  pressure(): CpuPressure | undefined {
    return this.#pressure === undefined ? undefined : parseCpuPressure(this.#pressure.read());
  }

  close(): void {
    this.#stat.close();
    this.#pressure?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** With psi=0 the file is there and opens, and every read of it fails. */
function openReadable(path: string): KeptFile {
  const file = new KeptFile(path);
  try {
    file.read();
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}
