/**
 * Reading of contracts at a boundary: bytes from a bus, a store or a file become a checked value, or a
 * {@link ContractError} that names what was read and which field of it is wrong.
 */
import type { z } from "zod";

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

/**
 * Parses JSON text or UTF-8 bytes and checks it against a contract.
 * @param what names the source in errors, e.g. `sample on kvmgov.v1.sample.h1`
 * @throws {ContractError} oversized, not JSON, or a field is missing or wrong
 */
export function parseContract<T>(schema: z.ZodType<T>, input: string | Uint8Array, what: string): T {
  return checkContract(schema, parseJson(input, what), what);
}

/**
 * Parses JSON text or UTF-8 bytes, unchecked.
 * @throws {ContractError} oversized, or not JSON
 */
export function parseJson(input: string | Uint8Array, what: string): unknown {
  if (input.length > MESSAGE_BYTES_MAX) {
    throw new ContractError(
      what,
      "",
      `is ${input.length} bytes long, at most ${MESSAGE_BYTES_MAX} are accepted`,
    );
  }
  const text = typeof input === "string" ? input : new TextDecoder().decode(input);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new ContractError(what, "", `is not JSON: ${(cause as Error).message}`, { cause });
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
