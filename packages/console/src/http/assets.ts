/**
 * What pages are made of: styles, browser code, uPlot. Browser code is TypeScript: its types are stripped when it is first
 * asked for, by Node itself, and the result is kept (docs/decisions/0017-console.md). Nothing but the files named here is
 * ever served.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire, stripTypeScriptTypes } from "node:module";
import path from "node:path";
import { gzipSync } from "node:zlib";

export interface Asset {
  type: string;
  etag: string;
  body: Buffer;
  gzip: Buffer;
}

const SOURCES = new URL("../", import.meta.url);
const JAVASCRIPT = "text/javascript; charset=utf-8";

const BROWSER = [
  "clock",
  "cpu-map",
  "dom",
  "figures",
  "fleet",
  "guest",
  "guest-lists",
  "host",
  "host-table",
  "live",
  "page",
  "plot",
  "plots",
  "series",
  "table",
] as const;

/** By the path below `/console/assets/`: how each is made. */
const MAKERS = new Map<string, { type: string; make: () => string }>([
  ...[...BROWSER.map((name) => `browser/${name}.ts`), "model/columns.ts", "live/frames.ts"].map(
    (name) => [name, { type: JAVASCRIPT, make: () => withoutTypes(read(new URL(name, SOURCES))) }] as const,
  ),
  ["uplot.js", { type: JAVASCRIPT, make: () => uplotFile("uPlot.esm.js") }],
  ["uplot.css", { type: "text/css; charset=utf-8", make: () => uplotFile("uPlot.min.css") }],
  [
    "console.css",
    { type: "text/css; charset=utf-8", make: () => read(new URL("style/console.css", SOURCES)) },
  ],
  ["icon.svg", { type: "image/svg+xml", make: () => read(new URL("style/icon.svg", SOURCES)) }],
]);

export class Assets {
  readonly #made = new Map<string, Asset>();

  /** @param name path below `/console/assets/` */
  get(name: string): Asset | undefined {
    const made = this.#made.get(name);
    const maker = MAKERS.get(name);
    if (made !== undefined || maker === undefined) return made;
    const body = Buffer.from(maker.make());
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
    const asset = { type: maker.type, etag, body, gzip: gzipSync(body) };
    this.#made.set(name, asset);
    return asset;
  }

  /** All names, for tests. */
  names(): string[] {
    return [...MAKERS.keys()];
  }
}

/** Browsers take a module by its type, not by the end of its name; only the name of the package is none of theirs. */
function withoutTypes(source: string): string {
  return stripTypeScriptTypes(source).replaceAll('from "uplot"', 'from "../uplot.js"');
}

function uplotFile(name: string): string {
  const manifest = createRequire(import.meta.url).resolve("uplot/package.json");
  return readFileSync(path.join(path.dirname(manifest), "dist", name), "utf8");
}

function read(file: URL): string {
  return readFileSync(file, "utf8");
}
