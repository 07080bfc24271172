/** CPU pressure of the host, from /proc/pressure/cpu (Documentation/accounting/psi.rst). */
import { ProcParseError } from "../proc/stat.ts";

/** Time in which at least one (`some`) or every (`full`) task waited for a CPU. */
export interface CpuPressure {
  /** Microseconds since boot. */
  someUs: number;
  /** Absent before Linux 5.13; always 0 for a whole host. */
  fullUs?: number;
}

/** @throws {ProcParseError} */
export function parseCpuPressure(text: string): CpuPressure {
  const total = (kind: string): number | undefined => {
    const match = new RegExp(`^${kind} .*\\btotal=(\\d+)$`, "m").exec(text);
    return match === null ? undefined : Number(match[1]);
  };
  const someUs = total("some");
  const fullUs = total("full");
  if (someUs === undefined) throw new ProcParseError("/proc/pressure/cpu", "has no line `some … total=`");
  return { someUs, ...(fullUs !== undefined && { fullUs }) };
}
