/**
 * Copies what kvm-governor reads on a host into a directory, as input for tests:
 *
 *     node scripts/capture-host-tree.js [--libvirt-run-dir DIR] [--keep-names] [--pid PID]... OUT
 *
 * Run it as root on a host with guests; --pid captures only these. Only listed files and fields are copied (see lib/scrub.js); guests and their UUIDs
 * are renamed. At the end every file is searched for the host's names; if one is found, nothing is kept.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import {
  Renamer,
  scrubCommandLine,
  scrubLibvirtStatus,
  scrubMountInfo,
  scrubProcPidStat,
  scrubProcStat,
  scrubStatus,
} from "./lib/scrub.js";

const QEMU = /^(qemu-system-.*|qemu-kvm|kvm)$/;
const GROUP_FILES =
  /^(cpu\..*|cpuset\.(cpus|mems|effective_).*|cpuacct\.usage|cgroup\.(procs|threads|type|controllers|subtree_control)|tasks)$/;
const TOPOLOGY_FILES = /_list$|^(physical_package_id|core_id|die_id)$/;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "libvirt-run-dir": { type: "string", default: "/run/libvirt/qemu" },
    "keep-names": { type: "boolean", default: false },
    pid: { type: "string", multiple: true },
  },
});
const out = positionals[0];
if (out === undefined || positionals.length > 1) {
  console.error(
    "usage: node scripts/capture-host-tree.js [--libvirt-run-dir DIR] [--keep-names] [--pid PID]... OUT",
  );
  process.exit(2);
}
const runDir = values["libvirt-run-dir"];

const pids = (values.pid?.map(Number) ?? listNumbers("/proc")).filter((pid) =>
  QEMU.test(path.basename(link(`/proc/${pid}/exe`) ?? "")),
);
if (pids.length === 0) fail("no QEMU process runs here (or this is not root)");
const statusFiles = list(runDir).filter((name) => name.endsWith(".xml"));
const renamer = new Renamer(values["keep-names"] ? [] : guestNames());
const tids = new Set(pids.flatMap((pid) => listNumbers(`/proc/${pid}/task`)));

captureHost();
for (const pid of pids) captureProcess(pid);
captureGroups();
captureCpus();
for (const name of statusFiles)
  save(`run/libvirt/qemu/${name}`, scrubLibvirtStatus(read(path.join(runDir, name)) ?? ""));
refuseLeaks();
console.log(`${out}: ${pids.length} guests, ${tids.size} threads, ${statusFiles.length} status files`);

function guestNames() {
  const ofFiles = statusFiles.map((name) => name.slice(0, -4));
  const ofProcesses = pids.flatMap((pid) => {
    const args = (read(`/proc/${pid}/cmdline`) ?? "").split("\0");
    const value = args[args.indexOf("-name") + 1] ?? "";
    const name = /^(?:guest=)?((?:[^,]|,,)*)/.exec(value)?.[1]?.replaceAll(",,", ",");
    return args.includes("-name") && name ? [name] : [];
  });
  return [...ofFiles, ...ofProcesses];
}

function captureHost() {
  copy("/proc/stat", scrubProcStat);
  copy("/proc/self/mountinfo", scrubMountInfo);
  for (const file of ["pressure/cpu", "sys/kernel/osrelease", "sys/kernel/random/boot_id", "1/cgroup"])
    copy(`/proc/${file}`);
}

/** @param {number} pid */
function captureProcess(pid) {
  const dir = `/proc/${pid}`;
  copy(`${dir}/cmdline`, scrubCommandLine);
  copy(`${dir}/stat`, scrubProcPidStat);
  for (const file of ["comm", "cgroup"]) copy(`${dir}/${file}`);
  const exe = path.join(String(out), dir, "exe");
  fs.symlinkSync(`/usr/bin/${path.basename(link(`${dir}/exe`) ?? "")}`, exe);
  for (const tid of listNumbers(`${dir}/task`)) {
    copy(`${dir}/task/${tid}/stat`, scrubProcPidStat);
    for (const file of ["comm", "schedstat", "cgroup"]) copy(`${dir}/task/${tid}/${file}`);
    copy(`${dir}/task/${tid}/status`, scrubStatus);
  }
}

/** The groups of all guests' threads and of what is above them, in every hierarchy that matters. */
function captureGroups() {
  const mounts = [
    ...(read("/proc/self/mountinfo") ?? "").matchAll(/^\d+ \d+ \S+ \/ (\S+) .* - (cgroup2?) \S+ (\S+)$/gm),
  ];
  /** @type {Set<string>} */
  const dirs = new Set();
  for (const pid of pids) {
    for (const tid of listNumbers(`/proc/${pid}/task`)) {
      for (const line of (read(`/proc/${pid}/task/${tid}/cgroup`) ?? "").trim().split("\n")) {
        const [, controllers = "", group = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
        const mount = mounts.find(([, , type, options = ""]) =>
          controllers === ""
            ? type === "cgroup2"
            : controllers.split(",").every((each) => options.split(",").includes(each)),
        );
        if (mount === undefined || !/^(|.*\b(cpu|cpuset|cpuacct)\b.*)$/.test(controllers)) continue;
        for (let at = group; ; at = path.dirname(at)) {
          dirs.add(path.join(mount[1] ?? "", at));
          if (at === "/") break;
        }
      }
    }
  }
  for (const dir of dirs) {
    for (const file of list(dir).filter((name) => GROUP_FILES.test(name))) {
      const isThreadList = /^(tasks|cgroup\.procs|cgroup\.threads)$/.test(file);
      copy(path.join(dir, file), isThreadList ? onlyGuests : undefined);
    }
  }
}

/** @param {string} text thread or process ids, one a line */
function onlyGuests(text) {
  return text
    .split("\n")
    .filter((id) => tids.has(Number(id)))
    .map((id) => `${id}\n`)
    .join("");
}

function captureCpus() {
  const cpus = "/sys/devices/system/cpu";
  for (const file of ["online", "offline", "possible", "present", "isolated"]) copy(`${cpus}/${file}`);
  for (const cpu of list(cpus).filter((name) => /^cpu\d+$/.test(name))) {
    for (const file of list(`${cpus}/${cpu}/topology`))
      if (TOPOLOGY_FILES.test(file)) copy(`${cpus}/${cpu}/topology/${file}`);
    for (const index of list(`${cpus}/${cpu}/cache`).filter((name) => name.startsWith("index"))) {
      for (const file of ["level", "type", "shared_cpu_list"]) copy(`${cpus}/${cpu}/cache/${index}/${file}`);
    }
  }
  const nodes = "/sys/devices/system/node";
  for (const node of list(nodes).filter((name) => /^node\d+$/.test(name))) {
    for (const file of ["cpulist", "distance"]) copy(`${nodes}/${node}/${file}`);
  }
}

/**
 * @param {string} file
 * @param {(text: string) => string} [scrub]
 */
function copy(file, scrub = (text) => text) {
  const text = read(file);
  if (text !== undefined) save(file, scrub(text));
}

/**
 * @param {string} file
 * @param {string} text
 */
function save(file, text) {
  const target = path.join(String(out), renamer.rename(file));
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.writeFileSync(target, renamer.rename(text));
}

/** A capture with a name of this machine in it is worth nothing: it could not be published. */
function refuseLeaks() {
  const machine = [os.hostname(), os.hostname().split(".")[0] ?? "", read("/etc/machine-id")?.trim() ?? ""];
  // Names of three letters ("vm") are found everywhere, and name nothing.
  const secrets = machine.filter((each) => each.length > 3 && each !== "localhost");
  for (const file of fs.readdirSync(String(out), { recursive: true, withFileTypes: true })) {
    const full = path.join(file.parentPath, file.name);
    const text = `${full.slice(String(out).length)} ${file.isFile() ? fs.readFileSync(full, "utf8") : ""}`;
    const found = secrets.find((each) => text.includes(each));
    if (found === undefined) continue;
    fs.rmSync(String(out), { recursive: true });
    fail(`${full} holds this machine's name or id; nothing was kept`);
  }
}

/** @param {string} file a file that is gone, or that this kernel does not have or does not let anyone read, is left out */
function read(file) {
  return orUndefined(() => fs.readFileSync(file, "utf8"));
}

/** @param {string} file */
function link(file) {
  return orUndefined(() => fs.readlinkSync(file).replace(/ \(deleted\)$/, ""));
}

/** @param {string} dir */
function list(dir) {
  return orUndefined(() => fs.readdirSync(dir)) ?? [];
}

/** @param {string} dir */
function listNumbers(dir) {
  return list(dir)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/**
 * @template T
 * @param {() => T} action
 * @returns {T | undefined}
 */
function orUndefined(action) {
  try {
    return action();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (["ENOENT", "ESRCH", "EACCES", "EINVAL", "EOPNOTSUPP", "ENODEV", "EPERM", "EIO"].includes(code))
      return undefined;
    throw error;
  }
}

/**
 * @param {string} problem
 * @returns {never}
 */
function fail(problem) {
  console.error(`capture-host-tree: ${problem}`);
  process.exit(1);
}
