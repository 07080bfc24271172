/** What a QEMU command line says about the guest (qemu(1); QemuOpts in util/qemu-option.c). */

export interface QemuCommandLine {
  /** `-name guest=NAME` or `-name NAME`. */
  name?: string;
  /** `-uuid`, else `-smbios type=1,uuid=…` (Proxmox); lower case. */
  uuid?: string;
  /** Proxmox's own `-id 100`. */
  vmId?: string;
  /** `-overcommit cpu-pm=on`: the guest idles on the CPU itself, so that its vCPUs always run. */
  cpuPm: boolean;
  /** `-name …,debug-threads=off`; absent: not said. */
  debugThreads?: boolean;
  /** `-machine none`: started to be asked for its capabilities, holds no guest. */
  isProbe: boolean;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Splits /proc/PID/cmdline. Arguments may hold newlines and spaces; empty ones stay. */
export function splitCommandLine(text: string): string[] {
  const args = text.split("\0");
  if (args.at(-1) === "") args.pop();
  return args;
}

/** Reads the arguments of a QEMU process, argv[0] included. What is not understood is left out, never guessed. */
export function parseQemuCommandLine(args: readonly string[]): QemuCommandLine {
  const result: QemuCommandLine = { cpuPm: false, isProbe: false };
  let smbiosUuid: string | undefined;
  for (const [option, value] of qemuOptions(args)) {
    if (option === "name") readName(result, value);
    else if (option === "uuid") setUuid(result, value);
    else if (option === "id") result.vmId = value;
    else if (option === "overcommit") readOvercommit(result, value);
    else if (option === "machine" || option === "M") result.isProbe = isMachineNone(value);
    else if (option === "smbios") smbiosUuid = smbiosSystemUuid(value) ?? smbiosUuid;
  }
  if (result.uuid === undefined && smbiosUuid !== undefined) setUuid(result, smbiosUuid);
  return result;
}

/**
 * Options with their values. What begins with a dash is no value: so no option is needed to be known as one without a
 * value, and text of the guest's owner that looks like an option (`-append -name`) gets none, an option follows it.
 */
function* qemuOptions(args: readonly string[]): Generator<[option: string, value: string]> {
  for (let at = 1; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (!arg.startsWith("-")) continue;
    const option = arg.replace(/^--?/, "");
    const value = args[at + 1];
    if (value === undefined || value.startsWith("-")) continue;
    at++;
    yield [option, value];
  }
}

function readName(result: QemuCommandLine, value: string): void {
  const opts = parseQemuOpts(value, "guest");
  const guest = opts.get("guest");
  if (guest !== undefined && guest !== "") result.name = guest;
  const debug = opts.get("debug-threads");
  if (debug !== undefined) result.debugThreads = isOn(debug);
}

function readOvercommit(result: QemuCommandLine, value: string): void {
  const cpuPm = parseQemuOpts(value).get("cpu-pm");
  if (cpuPm !== undefined) result.cpuPm = isOn(cpuPm);
}

function setUuid(result: QemuCommandLine, text: string): void {
  if (UUID.test(text)) result.uuid = text.toLowerCase();
}

function isMachineNone(value: string): boolean {
  const opts = parseQemuOpts(value, "type");
  return opts.get("type") === "none";
}

function smbiosSystemUuid(value: string): string | undefined {
  const opts = parseQemuOpts(value);
  return opts.get("type") === "1" ? opts.get("uuid") : undefined;
}

/**
 * Parses `a=1,b=x,,y`: pairs split by commas, a comma inside a value doubled.
 * @param impliedKey key of a first part without `=`; other parts without `=` are flags that are on
 */
export function parseQemuOpts(text: string, impliedKey?: string): Map<string, string> {
  const opts = new Map<string, string>();
  for (const [at, part] of splitAtSingleCommas(text).entries()) {
    const equals = part.indexOf("=");
    if (equals >= 0) opts.set(part.slice(0, equals), part.slice(equals + 1));
    else if (at === 0 && impliedKey !== undefined) opts.set(impliedKey, part);
    else if (part !== "") opts.set(part, "on");
  }
  return opts;
}

function splitAtSingleCommas(text: string): string[] {
  const parts: string[] = [];
  let part = "";
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char !== ",") part += char;
    else if (text.charAt(at + 1) === ",") part += text.charAt(at++);
    else {
      parts.push(part);
      part = "";
    }
  }
  parts.push(part);
  return parts;
}

function isOn(value: string): boolean {
  return value === "on" || value === "yes" || value === "true" || value === "y";
}
