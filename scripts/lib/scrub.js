/**
 * What may leave a host in a captured tree. Everything is an allow-list: what is not known to be harmless stays behind
 * (passwords of consoles, paths of disks, addresses, host names).
 */

/** Lines of /proc/PID/status that are of use. */
const STATUS_FIELDS =
  /^(Name|State|Tgid|Pid|PPid|Threads|Cpus_allowed|Cpus_allowed_list|voluntary_ctxt_switches|nonvoluntary_ctxt_switches):/;

/** QEMU's options that are kept, with what of their value. */
const OPTIONS = new Map(
  /** @type {[string, (value: string) => string | undefined][]} */ ([
    ...["name", "uuid", "id", "machine", "accel", "cpu", "smp", "m", "overcommit"].map(
      (name) => /** @type {const} */ ([name, (/** @type {string} */ value) => value]),
    ),
    ["object", (value) => /^iothread,id=[A-Za-z0-9_-]+$/.exec(value)?.[0]],
    [
      "smbios",
      (value) =>
        value.startsWith("type=1,")
          ? /\buuid=[0-9a-f-]{36}/i.exec(value)?.[0].replace(/^/, "type=1,")
          : undefined,
    ],
    // Where a migration comes from is an address; that there was one is of use.
    ["incoming", () => "defer"],
  ]),
);
const FLAGS = new Set([
  "S",
  "nodefaults",
  "daemonize",
  "no-user-config",
  "enable-kvm",
  "no-shutdown",
  "nographic",
]);

/**
 * Keeps the known options of a QEMU command line.
 * @param {string} text /proc/PID/cmdline
 */
export function scrubCommandLine(text) {
  const args = text.replace(/\0$/, "").split("\0");
  const kept = [basename(args[0] ?? "")];
  for (let at = 1; at < args.length; at++) {
    const arg = args[at] ?? "";
    const option = arg.replace(/^--?/, "");
    if (arg.startsWith("-") && FLAGS.has(option)) kept.push(arg);
    const value = arg.startsWith("-") ? OPTIONS.get(option)?.(args[at + 1] ?? "") : undefined;
    if (value !== undefined) kept.push(arg, value);
  }
  return kept.map((arg) => `${arg}\0`).join("");
}

/** @param {string} path */
function basename(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** @param {string} text /proc/PID/status */
export function scrubStatus(text) {
  return keepLines(text, (line) => STATUS_FIELDS.test(line));
}

/** Fields of /proc/PID/stat that are addresses in memory (proc_pid_stat(5)), counted from the one after comm. */
const ADDRESS_FIELDS = new Set(
  [26, 27, 28, 29, 30, 35, 45, 46, 47, 48, 49, 50, 51].map((field) => field - 3),
);

/** @param {string} text /proc/PID/stat: addresses become 0 */
export function scrubProcPidStat(text) {
  const end = text.lastIndexOf(")") + 2;
  const fields = text.slice(end).trimEnd().split(" ");
  return `${text.slice(0, end)}${fields.map((value, at) => (ADDRESS_FIELDS.has(at) ? "0" : value)).join(" ")}\n`;
}

/** @param {string} text /proc/self/mountinfo: only control groups */
export function scrubMountInfo(text) {
  return keepLines(text, (line) => / \/sys\/fs\/cgroup[/ ]/.test(line));
}

/** @param {string} text /proc/stat: without the thousands of interrupt counters, and without the time of the boot */
export function scrubProcStat(text) {
  return keepLines(text, (line) => /^(cpu|ctxt|processes|procs_)/.test(line));
}

/**
 * @param {string} text
 * @param {(line: string) => boolean} isKept
 */
function keepLines(text, isKept) {
  return text
    .split("\n")
    .filter((line) => line !== "" && isKept(line))
    .map((line) => `${line}\n`)
    .join("");
}

const STATUS_TAGS = new Set(["vcpus", "job", "numad", "domain"]);
const DOMAIN_TAGS = new Set([
  ...[
    "name",
    "uuid",
    "metadata",
    "memory",
    "vcpu",
    "iothreads",
    "iothreadids",
    "cputune",
    "resource",
    "numatune",
    "os",
    "cpu",
  ],
]);
const OS_TAGS = new Set(["type"]);
const POLICY_NAMESPACE = "https://kvm-governor.dev/xmlns/policy/";

/**
 * Keeps the known elements of a libvirt status file. Works on lines, so that what is kept is byte for byte libvirt's.
 * @param {string} text as libvirt writes it: one element a line, two spaces a level
 */
export function scrubLibvirtStatus(text) {
  const lines = text.replace(/<!--[\s\S]*?-->\s*/, "").split("\n");
  if (!lines[0]?.startsWith("<domstatus ")) throw new Error("not a status file as libvirt writes it");
  const kept = keepElements(lines, 2, (tag) => STATUS_TAGS.has(tag));
  const domain = keepElements(kept, 4, (tag) => DOMAIN_TAGS.has(tag));
  const os = keepElements(domain, 6, (tag, line, parents) => {
    if (parents.at(-1) === "os") return OS_TAGS.has(tag);
    return parents.at(-1) !== "metadata" || line.includes(POLICY_NAMESPACE);
  });
  return os.join("\n");
}

/**
 * @param {string[]} lines
 * @param {number} indent of the elements to be judged; what is less indented stays
 * @param {(tag: string, line: string, parents: string[]) => boolean} isKept
 */
function keepElements(lines, indent, isKept) {
  /** @type {string[]} */
  const parents = [];
  let isInside = true;
  return lines.filter((line) => {
    const depth = line.length - line.trimStart().length;
    const tag = /^<([\w:-]+)/.exec(line.trimStart())?.[1];
    if (depth < indent) {
      if (tag !== undefined) parents[depth / 2] = tag;
      parents.length = Math.min(parents.length, depth / 2 + 1);
      return true;
    }
    if (depth === indent && tag !== undefined) isInside = isKept(tag, line, parents.slice(0, indent / 2));
    return isInside;
  });
}

/** Replaces names and ids by others, the same ones everywhere: texts, links, names of directories. */
export class Renamer {
  /** @type {Map<string, string>} */
  #uuids = new Map();
  /** @type {[from: string, to: string][]} */
  #names = [];

  /** @param {Iterable<string>} names of guests; renamed to guest-1, guest-2, … */
  constructor(names) {
    for (const [at, name] of [...new Set(names)].entries()) {
      const to = `guest-${at + 1}`;
      const plain = name.replace(/[^A-Za-z0-9.-]/g, "");
      // As it stands in -name (commas doubled), in XML, and in the group's name: what systemd forbids left out, then escaped.
      const forms = [name, name.replaceAll(",", ",,"), escapeXml(name), plain];
      for (const form of forms) if (form !== "") this.#names.push([form, to]);
      if (plain.includes("-"))
        this.#names.push([plain.replaceAll("-", "\\x2d"), to.replaceAll("-", "\\x2d")]);
    }
    this.#names.sort(([a], [b]) => b.length - a.length);
  }

  /** @param {string} text */
  rename(text) {
    const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
    const renamed = text.replace(uuid, (found) => this.#uuid(found));
    return this.#names.reduce((result, [from, to]) => replaceWhole(result, from, to), renamed);
  }

  /** @param {string} found */
  #uuid(found) {
    const known =
      this.#uuids.get(found) ?? `00000000-0000-4000-8000-${String(this.#uuids.size + 1).padStart(12, "0")}`;
    this.#uuids.set(found, known);
    return known;
  }
}

/**
 * Replaces a name where it is not part of a longer word: a guest named `a` must not change `machine`.
 * @param {string} text
 * @param {string} from
 * @param {string} to
 */
function replaceWhole(text, from, to) {
  const quoted = from.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const before = /^\w/.test(from) ? "(?<![A-Za-z0-9_])|(?<=\\\\x2d)" : "";
  const after = /\w$/.test(from) ? "(?![A-Za-z0-9_])" : "";
  return text.replace(new RegExp(`(?:${before})${quoted}${after}`, "g"), () => to);
}

/** @param {string} text */
function escapeXml(text) {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&apos;");
}
