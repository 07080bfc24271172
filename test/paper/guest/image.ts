/**
 * What the guests of the paper's experiment boot: Debian's kernel, and an archive with busybox, Apache, the kernels of
 * `../kernels` and `pc`. Made once, kept in the toolbox's directory until a source changes. Needs root and gcc.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "../../../scripts/lib/lock.js";
import { run } from "../../../scripts/lib/run.js";
import { ensureTools, toolboxRoot } from "../../../scripts/lib/toolbox.js";
import { SUITE, ownSources } from "../../v2-host/image.ts";
import { compile, compileKernels, whyNoCompiler } from "../npb.ts";
import { type Entry, cpioArchive } from "./cpio.ts";
import { PaperGuestError } from "./errors.ts";

export interface GuestImage {
  kernel: string;
  initrd: string;
}

/** Files that the web guest serves: their sizes in KiB are their names. */
export const WEB_FILES_KIB = [1, 4, 16, 64, 256];

const HERE = fileURLToPath(new URL(".", import.meta.url));
const KERNELS = fileURLToPath(new URL("../kernels", import.meta.url));
const PACKAGES = ["busybox-static", "apache2-bin", "linux-image-cloud-amd64"];
const MODULES = [
  ...["virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci"],
  ...["failover", "net_failover", "virtio_net", "virtio_console"],
];
const LIBRARIES = "usr/lib/x86_64-linux-gnu";
/** Apache loads it when a thread ends: no program names it. */
const LIBGCC = "lib/x86_64-linux-gnu/libgcc_s.so.1";
const APACHE_MODULES = ["mod_mpm_event.so", "mod_authz_core.so"];
const DIRECTORIES = [
  "bin",
  "dev",
  "etc",
  "lib64",
  "modules",
  "proc",
  "run",
  "sys",
  "tmp",
  "usr",
  "usr/sbin",
  "usr/lib",
];
const USERS = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
const GROUPS = "root:x:0:\nnogroup:x:65534:\n";

/** The image; made when there is none (about 20 s). @throws {PaperGuestError} {KernelError} {ToolboxError} */
export async function ensureGuestImage(log: (line: string) => void): Promise<GuestImage> {
  const root = path.join(toolboxRoot(), "paper-guest");
  const dir = path.join(root, imageKey());
  if (!existsSync(dir)) {
    await mkdir(root, { recursive: true });
    await withLock(path.join(root, "lock"), async () => {
      if (!existsSync(dir)) await build(root, dir, log);
    });
  }
  return imageIn(dir);
}

const imageIn = (dir: string): GuestImage => ({
  kernel: path.join(dir, "vmlinuz"),
  initrd: path.join(dir, "initrd"),
});

/** Whatever changes the image changes its name. */
function imageKey(): string {
  const files = [HERE, KERNELS].flatMap((dir) => readdirSync(dir).map((name) => path.join(dir, name)));
  const inputs = files.filter((file) => /(image|cpio)\.ts$|\.(c|h|sh|conf)$/.test(file)).toSorted();
  const hash = createHash("sha256").update(SUITE);
  for (const file of inputs) hash.update(path.basename(file)).update(readFileSync(file));
  return hash.digest("hex").slice(0, 16);
}

async function build(root: string, dir: string, log: (line: string) => void): Promise<void> {
  const started = Date.now();
  const why = whyNoCompiler();
  if (why !== undefined) {
    throw new PaperGuestError(`the kernels cannot be compiled: ${why}; install gcc and libc6-dev`);
  }
  // Images of other versions, and what a killed build left. Whoever runs one of them has it in memory.
  for (const name of await readdir(root))
    if (name !== "lock") await rm(path.join(root, name), { recursive: true, force: true });
  const unfinished = await mkdtemp(path.join(root, "tmp-"));
  try {
    log("paper: making a Linux for the guests (once, about 20 s)");
    const tree = path.join(unfinished, "tree");
    await fetchTree(tree, log);
    const image = imageIn(unfinished);
    await copyFile(path.join(tree, "boot", only(path.join(tree, "boot"), /^vmlinuz-/)), image.kernel);
    await writeFile(image.initrd, cpioArchive(await contents(tree, unfinished)));
    await rm(tree, { recursive: true });
    await rename(unfinished, dir); // all or nothing
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  log(`paper: ready in ${((Date.now() - started) / 1000).toFixed(0)} s (${dir}; nothing was installed)`);
}

/** Packages are only unpacked: none of their scripts runs. */
async function fetchTree(tree: string, log: (line: string) => void): Promise<void> {
  const { path: file, args, env } = (await ensureTools(["paper"], { log })).find("mmdebstrap");
  const how = ["--quiet", "--mode=root", "--variant=extract", `--include=${PACKAGES.join(",")}`];
  try {
    await run(file, [...args, ...how, SUITE, tree, ...ownSources()], { env });
  } catch (cause) {
    throw new PaperGuestError(`the image could not be made: ${(cause as Error).message}`, { cause });
  }
}

async function contents(tree: string, scratch: string): Promise<Entry[]> {
  const programs = await compilePrograms(scratch);
  const linker = "lib64/ld-linux-x86-64.so.2";
  const linked = await run("chroot", [tree, `/${linker}`, "--list", "/usr/sbin/apache2"]);
  const libraries = [...linked.matchAll(/=> (\/\S+)/g)].map((match) => String(match[1]));
  const version = only(path.join(tree, "lib/modules"), /./);
  const moduleFiles = readdirSync(path.join(tree, "lib/modules", version), { recursive: true }).map(String);
  const copy = (name: string, from: string): Entry => ({
    name,
    kind: "file",
    content: readFileSync(path.join(tree, from)),
  });
  const text = (name: string, content: string): Entry => ({
    name,
    kind: "file",
    content: Buffer.from(content),
  });
  return [
    ...[...DIRECTORIES, LIBRARIES, "usr/lib/apache2", "usr/lib/apache2/modules", "www"].map(directory),
    text("init", readFileSync(path.join(HERE, "init.sh"), "utf8")),
    text("etc/httpd.conf", readFileSync(path.join(HERE, "httpd.conf"), "utf8")),
    text("etc/passwd", USERS),
    text("etc/group", GROUPS),
    copy("bin/busybox", "bin/busybox"),
    ...programs,
    copy(linker, linker),
    copy("usr/sbin/apache2", "usr/sbin/apache2"),
    copy(`${LIBRARIES}/${path.basename(LIBGCC)}`, LIBGCC),
    ...libraries.map((file) => copy(`${LIBRARIES}/${path.basename(file)}`, file)),
    ...APACHE_MODULES.map((name) => `usr/lib/apache2/modules/${name}`).map((name) => copy(name, name)),
    ...MODULES.map((name) => copy(`modules/${name}.ko`, moduleIn(version, moduleFiles, name))),
    ...WEB_FILES_KIB.map((kib) => ({
      name: `www/${kib}`,
      kind: "file" as const,
      content: Buffer.alloc(kib << 10, "web "),
    })),
  ];
}

const directory = (name: string): Entry => ({ name, kind: "directory" });

async function compilePrograms(scratch: string): Promise<Entry[]> {
  const npb = path.join(scratch, "npb");
  const pc = path.join(scratch, "pc");
  await compileKernels(npb, { isStatic: true });
  await compile([
    "-std=c11",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-static",
    "-o",
    pc,
    path.join(HERE, "pc.c"),
    "-lm",
  ]);
  return [npb, pc].map((file) => ({
    name: `bin/${path.basename(file)}`,
    kind: "file",
    content: readFileSync(file),
  }));
}

function moduleIn(version: string, files: readonly string[], name: string): string {
  const found = files.find((file) => path.basename(file) === `${name}.ko`);
  if (found === undefined) throw new PaperGuestError(`Debian's kernel ${version} has no module ${name}`);
  return path.join("lib/modules", version, found);
}

/** The one name in a directory that matches. @throws {PaperGuestError} there is none, or more than one */
function only(dir: string, pattern: RegExp): string {
  const [name, ...others] = readdirSync(dir).filter((each) => pattern.test(each));
  if (name === undefined || others.length > 0) throw new PaperGuestError(`${dir}: not one ${pattern}`);
  return name;
}
