/** What is in a release or an image, with versions and licences, as npm knows it (CycloneDX). */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { ROOT } from "../lib/launch.js";
import { run } from "../lib/run.js";

/**
 * @param {string} [workspace] directory of a workspace, for what that one needs alone; by default all of the repository
 * @returns {Promise<string>} the document, the same for the same package-lock.json
 */
export async function sbom(workspace) {
  const of = workspace === undefined ? [] : [`--workspace=${workspace}`];
  const args = ["sbom", "--sbom-format=cyclonedx", "--omit=dev", "--package-lock-only", ...of];
  const document = JSON.parse(await run("npm", args, { cwd: ROOT }));
  // What changes with every run would make two releases of one commit differ.
  delete document.serialNumber;
  delete document.metadata?.timestamp;
  // npm names it after the directory that it is run in.
  const manifest = await readFile(path.join(ROOT, workspace ?? "", "package.json"), "utf8");
  const { name, description } = JSON.parse(manifest);
  Object.assign(document.metadata.component, { name, description });
  return `${JSON.stringify(document, null, 2)}\n`;
}
