/**
 * The disk of the test host: a Debian with systemd, libvirt, QEMU and a guest agent, made by mmdebstrap and kept in the
 * toolbox's directory until packages or configuration change. Needs root.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "../../scripts/lib/lock.js";
import { run } from "../../scripts/lib/run.js";
import { ensureTools, toolboxRoot, type Program } from "../../scripts/lib/toolbox.js";
import { V2HostError } from "./errors.ts";

export interface HostImage {
  /** Raw ext4; shared by all who boot it, so that only snapshots of it are written to. */
  disk: string;
  kernel: string;
  initrd: string;
}

export const SUITE = "bookworm";
/** `systemd-container` is machined: with it libvirt puts guests into scopes of machine.slice, as on a real host. */
const PACKAGES = [
  ...["systemd", "systemd-sysv", "systemd-container", "dbus", "udev", "kmod", "iproute2", "procps"],
  ...["libvirt-daemon-system", "libvirt-clients", "qemu-system-x86", "qemu-guest-agent"],
  ...["linux-image-cloud-amd64", "libstdc++6", "libatomic1"],
];
const LEFT_OUT = ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*"];
const DISK_SIZE = "2G";
const CONFIGURE = fileURLToPath(new URL("configure-tree.sh", import.meta.url));

/**
 * The image; built when there is none (one to three minutes).
 * @param finish gets a new image before anybody else sees it, and may write to its disk
 * @throws {V2HostError} naming the step that failed; {ToolboxError} a program cannot be had
 */
export async function ensureImage(
  log: (line: string) => void,
  finish: (image: HostImage) => Promise<void>,
): Promise<HostImage> {
  const root = path.join(toolboxRoot(), "v2-host");
  const dir = path.join(root, imageKey());
  if (!existsSync(dir)) {
    await mkdir(root, { recursive: true });
    await withLock(path.join(root, "lock"), async () => {
      if (!existsSync(dir)) await build(root, dir, log, finish);
    });
  }
  return imageIn(dir);
}

const imageIn = (dir: string): HostImage => ({
  disk: path.join(dir, "root.img"),
  kernel: path.join(dir, "vmlinuz"),
  initrd: path.join(dir, "initrd"),
});

/** Whatever changes the image changes its name. */
function imageKey(): string {
  const inputs = [fileURLToPath(import.meta.url), CONFIGURE].map((file) => readFileSync(file, "utf8"));
  return createHash("sha256").update(inputs.join("\0")).digest("hex").slice(0, 16);
}

async function build(
  root: string,
  dir: string,
  log: (line: string) => void,
  finish: (image: HostImage) => Promise<void>,
): Promise<void> {
  const started = Date.now();
  const tools = await ensureTools(["v2-host"], { log });
  // Images of other versions, and what a killed build left. Whoever runs one of them has its files open.
  for (const name of await readdir(root))
    if (name !== "lock") await rm(path.join(root, name), { recursive: true, force: true });
  const unfinished = await mkdtemp(path.join(root, "tmp-"));
  try {
    log("v2 host: making a Debian with systemd and libvirt (once, one to three minutes)");
    const image = imageIn(unfinished);
    await makeDisk(unfinished, image, (name) => tools.find(name));
    log("v2 host: first boot");
    await finish(image);
    await rename(unfinished, dir); // all or nothing
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  log(`v2 host: ready in ${((Date.now() - started) / 1000).toFixed(0)} s (${dir}; nothing was installed)`);
}

async function makeDisk(dir: string, image: HostImage, find: (name: string) => Program): Promise<void> {
  const tree = path.join(dir, "tree");
  await runProgram(find("mmdebstrap"), debstrapArgs(tree));
  await runProgram({ path: "sh", args: [CONFIGURE], env: process.env }, [tree]);
  await copyFile(bootFile(tree, "vmlinuz-"), image.kernel);
  await copyFile(bootFile(tree, "initrd.img-"), image.initrd);
  const options = ["-q", "-t", "ext4", "-m", "0", "-L", "root", "-d", tree];
  await runProgram(find("mke2fs"), [...options, image.disk, DISK_SIZE]);
  await rm(tree, { recursive: true });
}

function debstrapArgs(tree: string): string[] {
  return [
    ...["--quiet", "--mode=root", "--variant=minbase", `--include=${PACKAGES.join(",")}`],
    ...LEFT_OUT.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    ...[SUITE, tree, ...ownSources()],
  ];
}

/** Where this machine gets the same Debian from, if it is one: a mirror that it can reach. Else mmdebstrap's own. */
export function ownSources(): string[] {
  const parts = "/etc/apt/sources.list.d";
  const files = [
    "/etc/apt/sources.list",
    ...(existsSync(parts) ? readdirSync(parts).map((name) => path.join(parts, name)) : []),
  ];
  const found = files.find((file) => {
    if (!/\.(list|sources)$/.test(file) || !existsSync(file)) return false;
    return new RegExp(`^[^#]*/debian/?\\s(.*\\s)?${SUITE}\\s`, "ms").test(readFileSync(file, "utf8"));
  });
  return found === undefined ? [] : [found];
}

function bootFile(tree: string, prefix: string): string {
  const name = readdirSync(path.join(tree, "boot")).find((file) => file.startsWith(prefix));
  if (name === undefined) throw new V2HostError(`the tree has no ${prefix}* in /boot`);
  return path.join(tree, "boot", name);
}

async function runProgram(program: Program, args: readonly string[]): Promise<void> {
  try {
    await run(program.path, [...program.args, ...args], { env: program.env });
  } catch (cause) {
    throw new V2HostError(`the image could not be built: ${(cause as Error).message}`, { cause });
  }
}
