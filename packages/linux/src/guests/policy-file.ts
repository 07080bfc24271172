/** The policy file: rules for guests, in YAML (see `rules.ts` of the policy package). */
import { readFileSync } from "node:fs";
import { NO_RULES, policyRulesSchema } from "@kvm-governor/policy";
import type { PolicyRules } from "@kvm-governor/policy";
import { LineCounter, parseDocument } from "yaml";
import type { Document, ParsedNode } from "yaml";

/** A policy file that cannot be used; the message names file, line and key. */
export class PolicyFileError extends Error {
  override readonly name = "PolicyFileError";
  readonly file: string;
  /** From 1; absent where the file as a whole is the problem. */
  readonly line: number | undefined;
  constructor(file: string, line: number | undefined, problem: string, options?: ErrorOptions) {
    super(`${file}${line === undefined ? "" : `:${line}`}: ${problem}`, options);
    this.file = file;
    this.line = line;
  }
}

/** A hundred thousand rules fit; what is larger is some other file. */
const BYTES_MAX = 16 * 1024 * 1024;

type Doc = Document.Parsed<ParsedNode>;

/**
 * Parses a policy file.
 * @param file names it in errors
 * @throws {PolicyFileError} not YAML, an unknown or repeated key, a value that is not valid
 */
export function parsePolicyFile(text: string, file: string): PolicyRules {
  const lines = new LineCounter();
  const document: Doc = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) throw new PolicyFileError(file, lines.linePos(error.pos[0]).line, error.message);
  const value = readValue(document, file) ?? {};
  const result = policyRulesSchema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path ?? [];
  const keys = issue?.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : [];
  const problem = keys.length > 0 ? `unknown key ${JSON.stringify(keys[0])}` : issue?.message;
  const where = pathText(path);
  throw new PolicyFileError(
    file,
    lineOf(document, lines, [...path, ...keys]),
    `${where === "" ? "" : `${where}: `}${problem ?? "is not valid"}`,
    { cause: result.error },
  );
}

/** Aliases may expand a few bytes into gigabytes; the library stops at a hundred. */
function readValue(document: Doc, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new PolicyFileError(file, undefined, (cause as Error).message, { cause });
  }
}

/** Line of the deepest part of a path that stands in the file. */
function lineOf(document: Doc, lines: LineCounter, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const parent = document.getIn(path.slice(0, length - 1), true);
    const offset = offsetIn(parent, path[length - 1]) ?? undefined;
    if (offset !== undefined) return lines.linePos(offset).line;
  }
  return 1;
}

/** Where a key or an item begins. */
function offsetIn(parent: unknown, key: PropertyKey | undefined): number | undefined {
  if (typeof parent !== "object" || parent === null || !("items" in parent)) return undefined;
  for (const [at, item] of (parent.items as unknown[]).entries()) {
    const node = nodeOf(item, at, key);
    if (node !== undefined) return node;
  }
  return undefined;
}

function nodeOf(item: unknown, at: number, key: PropertyKey | undefined): number | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const isPair = "key" in item;
  const node = isPair ? item.key : item;
  if (typeof node !== "object" || node === null || !("range" in node)) return undefined;
  const isWanted = isPair ? "value" in node && String(node.value) === String(key) : at === key;
  return isWanted ? (node.range as [number])[0] : undefined;
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key + 1}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}

/** The rules in force: those of the last file that was valid. */
export class PolicyFile {
  readonly #file: string | undefined;
  #rules: PolicyRules = NO_RULES;

  /** @param file none: there are no rules, now and after every re-reading */
  constructor(file: string | undefined) {
    this.#file = file;
  }

  get rules(): PolicyRules {
    return this.#rules;
  }

  /**
   * Reads the file (at start, and again at SIGHUP).
   * @throws {PolicyFileError} it cannot be read or used: the rules stay as they were; the caller logs and counts
   */
  read(): PolicyRules {
    if (this.#file === undefined) return this.#rules;
    this.#rules = parsePolicyFile(readText(this.#file), this.#file);
    return this.#rules;
  }
}

function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new PolicyFileError(file, undefined, (cause as Error).message, { cause });
  }
  if (bytes.length > BYTES_MAX) {
    throw new PolicyFileError(
      file,
      undefined,
      `is ${bytes.length} bytes long, at most ${BYTES_MAX} are read`,
    );
  }
  return bytes.toString("utf8");
}
