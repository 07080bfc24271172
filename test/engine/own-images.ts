/** Our images, built by the Dockerfile that users build them by. */
import path from "node:path";
import type { DockerEngine } from "./engine.ts";

export const OWN = ["collector", "classifier", "actuator"] as const;
export type OwnImage = (typeof OWN)[number];

const STAGE = "kvmgov-stage";

/** The tag that docker-compose.yml gives a service's image. */
export const imageOf = (service: OwnImage, version: string): string => `kvm-governor/${service}:${version}`;

/**
 * Builds all three, in an engine that has the machine's network: the builder fetches npm packages. What did not change comes from the
 * engine's cache; what no image needs any more is removed.
 * @param project directory with the Dockerfile's context
 */
export async function buildOwnImages(engine: DockerEngine, project: string, version: string): Promise<void> {
  for (const service of OWN) {
    const args = [
      ...["build", "--quiet", "--network", "host", "--build-arg", `SERVICE=${service}`],
      ...["--file", path.join(project, "deploy/images/Dockerfile")],
    ];
    // A stage without a name would not outlive the pruning, and with it what npm installed.
    await engine.docker([...args, "--target", "build", "--tag", `${STAGE}/${service}`, project]);
    await engine.docker([...args, "--tag", imageOf(service, version), project]);
  }
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
