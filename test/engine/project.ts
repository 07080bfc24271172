/** A checkout as a user has it, with the settings that docs/install-compose.md asks for. */
import { randomBytes } from "node:crypto";
import { chmod, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { readDeployed, replaceOnce, repository } from "../support/deployed.ts";

/** What a checkout has of what the compose file and the images need. */
const FILES = [
  ...["docker-compose.yml", ".env.example", ".dockerignore", ".npmrc", "package.json", "package-lock.json"],
  ...["tsconfig.json", "LICENSE", "deploy", "packages", "services", "scripts"],
];

/** What a user with Debian's Docker writes into .env besides the passwords. */
const SETTINGS = { KVMGOV_CONFIG_DIR: "./config", KVMGOV_PERF_CAPABILITY: "SYS_ADMIN" };
/** Copies the checkout, unchanged, into `dir`. */
export async function copyCheckout(dir: string): Promise<void> {
  const isSource = (file: string): boolean => path.basename(file) !== "node_modules";
  for (const file of FILES)
    await cp(path.join(repository, file), path.join(dir, file), { recursive: true, filter: isSource });
}

/**
 * `cp .env.example .env && chmod 600 .env`, and the passwords filled in.
 * @param settings lines of .env.example that are commented out there, with their values
 */
export async function writeEnv(dir: string, settings: Readonly<Record<string, string>>): Promise<void> {
  let text = await readFile(path.join(dir, ".env.example"), "utf8");
  text = text.replaceAll(/PASSWORD=$/gm, () => `PASSWORD=${randomBytes(24).toString("hex")}`);
  for (const [name, value] of Object.entries(settings)) {
    const line = new RegExp(`^#${name}=.*$`, "m").exec(text)?.[0] ?? `#${name}=`;
    text = replaceOnce(text, line, `${name}=${value}`);
  }
  const file = path.join(dir, ".env");
  await writeFile(file, text);
  await chmod(file, 0o600);
}

/** The checkout, with settings that a user may choose: quotas instead of weights, and guests of others left alone. */
export async function makeProject(project: string): Promise<void> {
  await mkdir(project);
  await copyCheckout(project);
  const config = path.join(project, "config");
  await cp(path.join(project, "deploy/config"), config, { recursive: true });
  const classifier = path.join(config, "classifier.yaml");
  await writeFile(
    classifier,
    replaceOnce(await readFile(classifier, "utf8"), "preset: default", "preset: paper"),
  );
  await writeEnv(project, SETTINGS);
}

/** Containers see all guests of this machine: those that are not named here are not ours to manage. */
export async function writePolicy(project: string, own: readonly object[]): Promise<void> {
  const rules = [...own, { match: { name: "*" }, class: "exempt" }];
  await writeFile(path.join(project, "config/policy.yaml"), JSON.stringify({ rules }));
}

/** Images that docker-compose.yml and the Dockerfile begin with and that are not built here, by service (`node` for the Dockerfile's). */
export async function pulledImages(): Promise<Map<string, string>> {
  const { services } = parse(await readDeployed("docker-compose.yml"), { merge: true }) as {
    services: Record<string, { image: string }>;
  };
  const dockerfile = await readDeployed("deploy/images/Dockerfile");
  const bases = [...dockerfile.matchAll(/^FROM (\S+:\S+)/gm)].map(
    ([, image = ""]) => ["node", image] as const,
  );
  const named = Object.entries(services)
    .filter(([, { image }]) => !image.startsWith("kvm-governor/"))
    .map(([service, { image }]) => [service, image] as const);
  return new Map([...bases, ...named]);
}
