/** Licences that packages may have, and what npm's lock file says of them. A package is argued for in docs/decisions/0002-dependencies.md. */

/** SPDX names of licences under which a package may be part of what we release (Apache-2.0): they ask for their text, and for nothing else. */
export const RELEASED = ["Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "Unlicense", "0BSD"];

/** Further ones of packages that are for development alone, and are never handed on. */
export const FOR_DEVELOPMENT = [...RELEASED, "BlueOak-1.0.0", "CC-BY-4.0", "MPL-2.0", "(MIT OR CC0-1.0)"];

/**
 * Packages that come with an install script, and what it would do. None is run (`ignore-scripts` in .npmrc): it would be somebody else's
 * program, run as whoever installs.
 * @type {Record<string, string>}
 */
export const UNUSED_INSTALL_SCRIPTS = {
  "@parcel/watcher": "builds a binary where there is none for the platform",
  esbuild: "replaces a launcher by the binary of its platform's package, which is found without it",
  koffi: "builds a binary where there is none for the platform",
  protobufjs: "compares version numbers",
  "unrs-resolver": "looks for the binary of its platform's package, which is found without it",
};

/** @typedef {{ version?: string, license?: string, dev?: boolean, devOptional?: boolean, link?: boolean, optional?: boolean, resolved?: string, integrity?: string, hasInstallScript?: boolean }} LockedPackage */

/**
 * Name of the package at a place in node_modules.
 * @param {string} place such as `node_modules/a/node_modules/@b/c`
 */
export function packageName(place) {
  return place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length);
}

/**
 * Packages of others in a lock file, by their place.
 * @param {{ packages: Record<string, LockedPackage> }} lock
 * @returns {[string, LockedPackage][]}
 */
export function foreignPackages({ packages }) {
  return Object.entries(packages).filter(
    ([place, { link }]) => place.includes("node_modules/") && link !== true,
  );
}

/**
 * What is not as it must be, as `PACKAGE VERSION: what is wrong`.
 * @param {{ packages: Record<string, LockedPackage> }} lock package-lock.json
 */
export function dependencyProblems(lock) {
  return foreignPackages(lock).flatMap(([place, entry]) =>
    problemsOf(packageName(place), entry).map(
      (problem) => `${packageName(place)} ${entry.version}: ${problem}`,
    ),
  );
}

/**
 * @param {string} name
 * @param {LockedPackage} entry
 * @returns {string[]}
 */
function problemsOf(name, { license, dev = false, integrity, resolved, hasInstallScript = false }) {
  const allowed = dev ? FOR_DEVELOPMENT : RELEASED;
  const problems = [];
  if (license === undefined) problems.push("names no licence");
  else if (!allowed.includes(license)) problems.push(`licence ${license} is not among those allowed`);
  if (integrity === undefined) problems.push("has no checksum in package-lock.json");
  // Without an address it is the version of that name in the registry.
  if (resolved !== undefined && !/^https:\/\/.*\.tgz$/.test(resolved))
    problems.push(`comes from ${resolved}, which is no registry`);
  if (hasInstallScript && !Object.hasOwn(UNUSED_INSTALL_SCRIPTS, name))
    problems.push("has an install script that nobody looked at");
  return problems;
}
