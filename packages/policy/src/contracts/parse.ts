/**
 * Reading of contracts at a boundary: bytes from a bus, a store or a file become a checked value, or a
 * {@link ContractError} that names what was read and which field of it is wrong.
 */
import type { z } from "zod";
import { CONTRACT_VERSION } from "./fields.ts";
import { DEPTH_MAX, isTooDeep } from "./json-bounds.ts";

/** Largest message accepted, in bytes: the default `max_payload` of nats-server. */
export const MESSAGE_BYTES_MAX = 1024 * 1024;

/** A message, file or stored value that is not what its contract says. `what` names it, `field` the place in it. */
export class ContractError extends Error {
  override readonly name = "ContractError";
  readonly what: string;
  readonly field: string;
  constructor(what: string, field: string, problem: string, options?: { cause?: unknown }) {
    super(`${what}: ${field === "" ? "" : `${field}: `}${problem}`, options);
    this.what = what;
    this.field = field;
  }
}

/** Nested deeper than any contract is: refused before it is parsed, which would take long. */
export class ContractDepthError extends ContractError {}

/**
 * A message of a later major version of the contracts, whose fields may mean something else. Within a version, fields are only ever
 * added: those that are not known are passed over, so that senders and receivers can be upgraded in any order.
 */
export class ContractVersionError extends ContractError {}

/**
 * Parses JSON text or UTF-8 bytes and checks it against a contract.
 * @param what names the source in errors, e.g. `sample on kvmgov.v1.sample.h1`
 * @param bytesMax more is refused; by default what one message may hold
 * @throws {ContractError} oversized, too deep, of a later version, not JSON, or a field is missing or wrong
 */
export function parseContract<T>(
  schema: z.ZodType<T>,
  input: string | Uint8Array,
  what: string,
  bytesMax = MESSAGE_BYTES_MAX,
): T {
  return checkContract(schema, parseJson(input, what, bytesMax), what);
}

/**
 * Parses JSON text or UTF-8 bytes; of its fields only the version is looked at.
 * @throws {ContractError} oversized, too deep, of a later version, or not JSON
 */
export function parseJson(input: string | Uint8Array, what: string, bytesMax = MESSAGE_BYTES_MAX): unknown {
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  if (bytes.length > bytesMax) {
    throw new ContractError(what, "", `is ${bytes.length} bytes long, at most ${bytesMax} are accepted`);
  }
  if (isTooDeep(bytes)) throw new ContractDepthError(what, "", `is nested more than ${DEPTH_MAX} deep`);
  let value: unknown;
  try {
    value = JSON.parse(typeof input === "string" ? input : decoder.decode(input));
  } catch (cause) {
    throw new ContractError(what, "", `is not JSON: ${(cause as Error).message}`, { cause });
  }
  checkVersion(value, what);
  return value;
}

const decoder = new TextDecoder();

/** Said before fields are looked at: what a later version says of them is not known here. */
function checkVersion(value: unknown, what: string): void {
  const version = typeof value === "object" && value !== null && "schema" in value ? value.schema : undefined;
  if (typeof version === "number" && version > CONTRACT_VERSION) {
    throw new ContractVersionError(
      what,
      "schema",
      `is version ${version} of the contracts, this program knows ${CONTRACT_VERSION}: it must be upgraded first`,
    );
  }
}

/**
 * Checks a value that is already parsed.
 * @throws {ContractError} naming the first field that is wrong
 */
export function checkContract<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new ContractError(what, fieldPath(issue?.path ?? []), issue?.message ?? "is not valid", {
    cause: result.error,
  });
}

function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}
