/** Our images, built by the Dockerfile that users build them by. */
import path from "node:path";
import { SEMI_SPACE_MB } from "../../packages/cli/src/supervisor/node-flags.ts";
import { DockerEngine } from "./engine.ts";
import { pulledImages } from "./project.ts";
import { ensureStandIns, hasStandIn } from "./stand-ins.ts";

export const OWN = ["collector", "classifier", "actuator"] as const;
export type OwnImage = (typeof OWN)[number];

const STAGE = "kvmgov-stage";

/** The tag that docker-compose.yml gives a service's image. */
export const imageOf = (service: OwnImage, version: string): string => `kvm-governor/${service}:${version}`;

/** On an engine with the machine's network: npm packages are fetched, the first time. */
export async function buildImages(
  project: string,
  version: string,
  log: (line: string) => void,
): Promise<void> {
  await using builder = await DockerEngine.start({ network: "host", log });
  const images = [...new Set((await pulledImages()).values())].filter(hasStandIn);
  const base = await ensureStandIns(builder, images, log);
  const started = Date.now();
  const own = await buildOwnImages(builder, project, version);
  await keepOnly(builder, [base, ...images, ...own]);
  log(`docker: our images built in ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

/**
 * Builds all three, in an engine that has the machine's network: the builder fetches npm packages. What did not change comes from the
 * engine's cache.
 * @param project directory with the Dockerfile's context
 * @returns names of the images, and of the stages that they are made in
 */
async function buildOwnImages(engine: DockerEngine, project: string, version: string): Promise<string[]> {
  const names: string[] = [];
  for (const service of OWN) {
    const args = [
      ...["build", "--quiet", "--network", "host", "--build-arg", `SERVICE=${service}`],
      ...["--build-arg", `SEMI_SPACE_MB=${SEMI_SPACE_MB[service]}`], // as docker-compose.yml has it
      ...["--file", path.join(project, "deploy/images/Dockerfile")],
    ];
    // A stage without a name would not outlive the pruning, and with it what npm installed.
    const stage = `${STAGE}/${service}:latest`;
    await engine.docker([...args, "--target", "build", "--tag", stage, project]);
    await engine.docker([...args, "--tag", imageOf(service, version), project]);
    names.push(stage, imageOf(service, version));
  }
  return names;
}

/** Removes what no image of these needs: bases of other days take up 0.7 GB each. */
async function keepOnly(engine: DockerEngine, names: readonly string[]): Promise<void> {
  const listed = await engine.docker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]);
  const others = listed
    .split("\n")
    .filter((name) => name !== "" && !/<none>/.test(name) && !names.includes(name));
  for (const name of others) await engine.docker(["image", "rm", name]);
  await engine.docker(["image", "prune", "--force"]);
}

export interface ImageFacts {
  user: string;
  entrypoint: readonly string[];
  /** In bytes, all layers. */
  size: number;
}

export async function inspectImage(engine: DockerEngine, image: string): Promise<ImageFacts> {
  const [facts] = JSON.parse(await engine.docker(["image", "inspect", image])) as [
    { Size: number; Config: { User: string; Entrypoint: string[] } },
  ];
  return { user: facts.Config.User, entrypoint: facts.Config.Entrypoint, size: facts.Size };
}

/** A file of an image, as its Node reads it. */
export function readFromImage(engine: DockerEngine, image: string, file: string): Promise<string> {
  const script = "process.stdout.write(fs.readFileSync(process.argv[1]))";
  const confined = ["--rm", "--network", "none", "--read-only", "--entrypoint", "node"];
  return engine.docker(["run", ...confined, image, "-e", script, file]);
}
