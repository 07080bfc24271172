#!/usr/bin/env node
/**
 * `node scripts/release/image.js SERVICE DIR`: makes the tree of a service's image (deploy/images/Dockerfile runs it): its bundle as
 * lib/service.js, what that reads beside itself, the list of what is in it, and its licences.
 */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT, main } from "../lib/launch.js";
import { copy, copyForClassifier, copyNative } from "./beside.js";
import { bundle } from "./bundle.js";
import { readManifest } from "./manifest.js";
import { NOTICES, notices } from "./notices.js";
import { sbom } from "./sbom.js";

/** @typedef {{ entries: Record<string, string>, copyBeside: (dir: string) => Promise<void> }} Image */

/** By service: entry points by the name of the file that is made, and what they need. @type {Record<string, Image>} */
const IMAGES = {
  collector: { entries: { service: "services/collector/src/main.ts" }, copyBeside: copyNative },
  classifier: { entries: { service: "services/classifier/src/main.ts" }, copyBeside: copyForClassifier },
  actuator: {
    entries: {
      service: "services/actuator/src/main.ts",
      guardian: "services/actuator/src/guardian.ts",
    },
    copyBeside: copyNative,
  },
};

/** Services that have an image. */
export const IMAGE_NAMES = Object.keys(IMAGES);

/**
 * @param {string} service
 * @param {string} dir where the tree goes
 * @throws {Error} there is no such service
 */
export async function makeImageTree(service, dir) {
  const image = IMAGES[service];
  if (image === undefined)
    throw new Error(
      `SERVICE is ${JSON.stringify(service)}: there are images of ${IMAGE_NAMES.join(", ")} (--build-arg SERVICE=...)`,
    );
  await mkdir(dir, { recursive: true });
  const { version, license } = await readManifest();
  const manifest = { name: `@kvm-governor/${service}`, version, license, type: "module" };
  await writeFile(path.join(dir, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  await bundle(path.join(dir, "lib"), image.entries);
  await image.copyBeside(dir);
  await copy("LICENSE", path.join(dir, "LICENSE"));
  const parts = await sbom(`services/${service}`);
  await writeFile(path.join(dir, "sbom.cdx.json"), parts);
  const { components } = /** @type {{ components: { name: string }[] }} */ (JSON.parse(parts));
  const names = new Set(components.map(({ name }) => name));
  // The base brings Node, with its licence beside it.
  const text = await notices(ROOT, process.arch, (name) => names.has(name));
  await writeFile(path.join(dir, NOTICES), text);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  await main(async () => {
    const [service = "", dir] = process.argv.slice(2);
    if (dir === undefined) throw new Error("usage: image.js SERVICE DIR");
    await makeImageTree(service, path.resolve(dir));
    return 0;
  });
