/**
 * The kernel's list format for sets of CPUs: `0-3,8` (bitmap_parselist in lib/bitmap.c; used by cpuset files,
 * /sys/devices/system/cpu/online, `Cpus_allowed_list` and libvirt's cpuset attributes).
 */

/** Highest CPU number accepted: above NR_CPUS of any kernel, so that `0-4000000000` cannot fill the memory. */
export const CPU_NUMBER_MAX = 65_535;

/** Text that is not a CPU list. `text` is what was read, cut to 100 characters in the message. */
export class CpuListError extends Error {
  override readonly name = "CpuListError";
  readonly text: string;
  constructor(text: string, problem: string) {
    super(`CPU list ${JSON.stringify(text.slice(0, 100))}: ${problem}`);
    this.text = text;
  }
}

// A range, or a range with the kernel's `used/group` stride: 0-9:2/4 is 0,1,4,5,8,9.
const RANGE = /^(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9})\/(\d{1,9}))?)?$/;

/**
 * Parses a kernel CPU list, strides (`0-31:1/2`) and surrounding white space included.
 * @returns ascending, without repeats; empty for empty text (as `isolated` usually is)
 * @throws {CpuListError} anything that the kernel would refuse, or a number above {@link CPU_NUMBER_MAX}
 */
export function parseCpuList(text: string): number[] {
  const cpus = new Set<number>();
  const trimmed = text.trim();
  if (trimmed === "") return [];
  for (const part of trimmed.split(",")) addRange(cpus, part.trim(), text);
  return ascending(cpus);
}

function addRange(cpus: Set<number>, part: string, text: string): void {
  const match = RANGE.exec(part);
  if (match === null) throw new CpuListError(text, `${JSON.stringify(part.slice(0, 40))} is no CPU or range`);
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  const used = match[3] === undefined ? 1 : Number(match[3]);
  const group = match[4] === undefined ? 1 : Number(match[4]);
  if (last < first) throw new CpuListError(text, `range ${part} runs backwards`);
  if (last > CPU_NUMBER_MAX) throw new CpuListError(text, `CPU ${last} is above ${CPU_NUMBER_MAX}`);
  if (group === 0 || used > group) throw new CpuListError(text, `stride of ${part} is not valid`);
  for (let cpu = first; cpu <= last; cpu++) if ((cpu - first) % group < used) cpus.add(cpu);
}

/**
 * Writes CPUs as the kernel prints them: ascending, neighbours as ranges, no repeats, no newline.
 * `""` for none: what cpuset files print when they are empty.
 * @throws {CpuListError} a number that is no CPU
 */
export function formatCpuList(cpus: Iterable<number>): string {
  const parts: string[] = [];
  let first = -1;
  let last = -1;
  const close = (): void => {
    if (first >= 0) parts.push(first === last ? String(first) : `${first}-${last}`);
  };
  for (const cpu of ascending(new Set(cpus))) {
    if (!Number.isInteger(cpu) || cpu < 0 || cpu > CPU_NUMBER_MAX) {
      throw new CpuListError(String(cpu), "is no CPU number");
    }
    if (cpu !== last + 1 || first < 0) {
      close();
      first = cpu;
    }
    last = cpu;
  }
  close();
  return parts.join(",");
}

/**
 * Parses the CPU sets of libvirt's XML, which also know exclusion: `0-3,^2` is 0,1,3. An exclusion removes what
 * stands before it (virBitmapParse).
 * @throws {CpuListError} as {@link parseCpuList}
 */
export function parseLibvirtCpuSet(text: string): number[] {
  const cpus = new Set<number>();
  if (text.trim() === "") return [];
  for (const raw of text.trim().split(",")) {
    const part = raw.trim();
    if (!part.startsWith("^")) {
      addRange(cpus, part, text);
      continue;
    }
    const excluded = new Set<number>();
    addRange(excluded, part.slice(1), text);
    for (const cpu of excluded) cpus.delete(cpu);
  }
  return ascending(cpus);
}

function ascending(cpus: ReadonlySet<number>): number[] {
  return [...cpus].sort((a, b) => a - b);
}
