/** Processors that kvm-governor runs on, and what others call them. Plain JavaScript that Node 18 runs without any package. */

/** @typedef {{ debian: string, triplet: string, kernel: string }} Architecture names at Debian, of its library directories, and in `uname -m` */

/** By the name that Node has for them, which npm's packages have as well. @type {Record<string, Architecture>} */
export const ARCHITECTURES = {
  x64: { debian: "amd64", triplet: "x86_64-linux-gnu", kernel: "x86_64" },
  arm64: { debian: "arm64", triplet: "aarch64-linux-gnu", kernel: "aarch64" },
};

/** A processor that there are no programs for. */
export class UnsupportedArchitectureError extends Error {
  /** @param {string} name */
  constructor(name) {
    super(`kvm-governor runs on ${Object.keys(ARCHITECTURES).join(" and ")}, not on ${name}`);
    this.name = "UnsupportedArchitectureError";
  }
}

/**
 * @param {string} [name] by default this machine's
 * @returns {Architecture}
 * @throws {UnsupportedArchitectureError}
 */
export function architecture(name = process.arch) {
  const found = Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
  if (found === undefined) throw new UnsupportedArchitectureError(name);
  return found;
}
