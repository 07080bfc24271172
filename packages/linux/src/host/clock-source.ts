/** What the kernel reads the time from (Documentation/timers/timekeeping.rst). */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Name of the clock source in use: `tsc`, `kvm-clock`, `arch_sys_counter` are read in nanoseconds, `hpet` and `acpi_pm`
 * take microseconds and a lock.
 * @throws Error from the file system where sysfs does not show it
 */
export function readClockSource(sysRoot = "/sys"): string {
  const file = join(sysRoot, "devices/system/clocksource/clocksource0/current_clocksource");
  return readFileSync(file, "utf8").trim();
}
