/**
 * Import directions. `policy` imports no other part; `linux` and `service-kit` only policy; services policy, linux and
 * service-kit, never each other, and the classifier not linux; nothing imports cli or test. A part is entered by
 * its package name: relative imports stay inside it.
 */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";

const SCOPE = "@kvm-governor/";

/** What each part may import of the others. A part that is not listed may import nothing. @type {Record<string, string[]>} */
const ALLOWED = {
  policy: [],
  linux: ["policy"],
  "service-kit": ["policy"],
  collector: ["policy", "linux", "service-kit"],
  actuator: ["policy", "linux", "service-kit"],
  classifier: ["policy", "service-kit", "console"],
  console: ["policy"],
  lab: ["policy", "scripts"],
  cli: ["policy", "linux", "service-kit", "lab", "scripts"],
  scripts: [],
  deploy: [],
};

/** Modules that only some parts may import, and why. @type {{ module: RegExp, only?: string[], except?: string[], why: string }[]} */
const RESTRICTED = [
  { module: /^ioredis$/, only: ["classifier"], why: "Redis stays inside the classifier" },
  { module: /^koffi$/, only: ["linux"], why: "only linux talks to the kernel" },
  {
    module: /^(node:|fs$|os$|net$|child_process$)/,
    except: ["policy"],
    why: "policy is pure: no I/O, clock, randomness",
  },
];

/**
 * @param {string} root of the repository
 * @returns {{ files: number, violations: string[] }} violations as `file: what is wrong`
 */
export function findViolations(root) {
  const files = ["packages", "services", "scripts", "deploy", "test"].flatMap((dir) => sources(root, dir));
  const violations = files.flatMap((file) => {
    const specifiers = importsOf(readFileSync(path.join(root, file), "utf8"));
    return specifiers.flatMap((specifier) => {
      const problem = judge(file, specifier);
      return problem === undefined ? [] : [`${file}: ${problem}`];
    });
  });
  return { files: files.length, violations };
}

/**
 * The modules that a source text imports, in any way with a constant name.
 * @param {string} text
 */
export function importsOf(text) {
  const pattern =
    /(?:^|[\s;}])(?:import|export)\b(?:[^"'`;()]*?\bfrom)?\s*["']([^"']+)["']|\b(?:import|require)\(\s*["']([^"']+)["']/g;
  return [...text.matchAll(pattern)].map((match) => String(match[1] ?? match[2]));
}

/**
 * @param {string} file relative to the root
 * @param {string} specifier
 * @returns {string | undefined} what is wrong
 */
function judge(file, specifier) {
  const from = partOf(file);
  if (from === "test" || (from === "scripts" && isTest(file))) return undefined; // may import anything
  if (specifier.startsWith(".")) return judgeRelative(file, from, specifier);
  if (!specifier.startsWith(SCOPE)) return judgeModule(file, from, specifier);
  const [to = "", ...inside] = specifier.slice(SCOPE.length).split("/");
  if (inside.length > 0) return `${specifier} goes past the front door of ${to}`;
  return judgeDirection(file, from, to);
}

/**
 * @param {string} file
 * @param {string} from
 * @param {string} specifier
 */
function judgeRelative(file, from, specifier) {
  const to = partOf(path.join(path.dirname(file), specifier));
  if (to === from) return undefined;
  if (to !== "scripts" && to !== "test") return `${specifier} leaves ${from}: import ${SCOPE}${to}`;
  return judgeDirection(file, from, to);
}

/**
 * @param {string} file
 * @param {string} from
 * @param {string} to
 */
function judgeDirection(file, from, to) {
  if (to === from) return `${from} imports itself by name`;
  if (isTest(file) && (to === "test" || to === "lab")) return undefined;
  return ALLOWED[from]?.includes(to) ? undefined : `${from} must not import ${to}`;
}

/**
 * @param {string} file
 * @param {string} from
 * @param {string} specifier
 */
function judgeModule(file, from, specifier) {
  if (isTest(file)) return undefined;
  const rule = RESTRICTED.find(({ module, only, except }) => {
    return module.test(specifier) && (only === undefined ? except?.includes(from) : !only.includes(from));
  });
  return rule === undefined ? undefined : `${from} must not import ${specifier}: ${rule.why}`;
}

/** @param {string} file */
function isTest(file) {
  return /\.test\.[jt]s$/.test(file);
}

/**
 * The part that a file belongs to: a package's or service's name, `scripts`, `test`, or what is left of the path.
 * @param {string} file
 */
function partOf(file) {
  const [first = "", second = ""] = path.normalize(file).split(path.sep);
  return first === "packages" || first === "services" ? second : first;
}

/**
 * @param {string} root
 * @param {string} dir
 * @returns {string[]} paths relative to the root
 */
function sources(root, dir) {
  if (!existsSync(path.join(root, dir))) return [];
  const found = [];
  for (const entry of readdirSync(path.join(root, dir), { withFileTypes: true })) {
    const file = path.join(dir, entry.name);
    if (entry.isDirectory() && entry.name !== "node_modules") found.push(...sources(root, file));
    else if (entry.isFile() && /\.[jt]s$/.test(entry.name)) found.push(file);
  }
  return found;
}
