/** Bundles the services and the command: each becomes one file, with what they share, and what is loaded late, in chunks beside it. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";
import { ROOT } from "../lib/launch.js";

/** Of a release: entry points by the name of the file that is made. @type {Record<string, string>} */
const ENTRIES = {
  collector: "services/collector/src/main.ts",
  classifier: "services/classifier/src/main.ts",
  actuator: "services/actuator/src/main.ts",
  guardian: "services/actuator/src/guardian.ts",
  kvmgov: "packages/cli/src/main.ts",
};

/** It finds its binary beside itself. */
const EXTERNAL = ["koffi"];

// Every file is one level below the release's root, and packages that are CommonJS look for `require`.
const BANNER = `import { createRequire as __createRequire } from "node:module";
const require = __createRequire(import.meta.url);
const __sourceUrl = (file) => new URL("../" + file, import.meta.url).href;`;

/**
 * In a bundle a source's own address is the bundle's: each source keeps the one it would have in the release's tree, where
 * the files lie that it reads.
 * @type {import("esbuild").Plugin}
 */
const sourceAddresses = {
  name: "source-addresses",
  setup({ onLoad }) {
    onLoad({ filter: /\.(ts|js)$/ }, async ({ path: file }) => {
      const relative = path.relative(ROOT, file);
      if (relative.startsWith("node_modules")) return undefined;
      const text = await readFile(file, "utf8");
      const contents = text.replaceAll(/\bimport\.meta\.url\b/g, `__sourceUrl(${JSON.stringify(relative)})`);
      return { contents, loader: file.endsWith(".ts") ? "ts" : "js" };
    });
  },
};

/**
 * @param {string} outdir
 * @param {Record<string, string>} [entries] entry points by the name of the file that is made, by default all of a release
 * @returns {Promise<void>} rejects where a source does not compile or a module is missing
 */
export async function bundle(outdir, entries = ENTRIES) {
  await build({
    absWorkingDir: ROOT,
    entryPoints: Object.entries(entries).map(([out, entry]) => ({ in: entry, out })),
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    external: EXTERNAL,
    chunkNames: "chunk-[hash]",
    legalComments: "none",
    banner: { js: BANNER },
    plugins: [sourceAddresses],
    logLevel: "warning",
  });
}
