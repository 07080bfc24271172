/**
 * Questions and answers among classifiers: gzipped JSON. A host can make the server send an acknowledgement to any subject (as the reply of a
 * sample), perhaps its own plan too (as the target of a consumer); both are plain JSON, and are refused because they are not gzip.
 */
import { promisify } from "node:util";
import { gunzip, gzip, constants } from "node:zlib";
import {
  CONTRACT_VERSION,
  ContractDepthError,
  ContractError,
  ContractVersionError,
  guestUuid,
  hostId,
  parseContract,
  schemaVersion,
} from "@kvm-governor/policy";
import { z } from "zod";
import {
  atMs,
  factsSchema,
  foundSchema,
  guestWritesSchema,
  historySchema,
  lineSchema,
  seriesSchema,
} from "./schemas.ts";

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Largest question, and largest piece of an answer, as JSON: a host of a thousand guests takes 3 MB. */
const QUESTION_BYTES_MAX = 16 * 1024;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** Hosts of one piece of the fleet: some 300 KB, a few milliseconds to write or to check. */
export const LINES_A_PIECE = 250;
export const PIECES_MAX = 400;
/** Guests of one name that are told. */
export const FOUND_MAX = 100;

const schema = schemaVersion;

/**
 * `host`: one host; with `guest` the history and course of that guest, with `writes` the writes of all its guests. `fleet`: all hosts as lines.
 * `find`: guests by name or UUID.
 */
export const questionSchemas = {
  host: z.object({ schema, host: hostId, guest: guestUuid.optional(), writes: z.boolean().optional() }),
  fleet: z.object({ schema }),
  find: z.object({ schema, guest: z.string().min(1).max(1024) }),
};
export type What = keyof typeof questionSchemas;
export type QuestionOf<W extends What> = z.output<(typeof questionSchemas)[W]>;

const head = {
  schema,
  /** Name of the classifier that answers. */
  from: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  /** Its wall clock. */
  nowMs: atMs,
  /** Why it cannot answer, or not in full. */
  problem: z.string().max(1024).optional(),
};
export const answerSchemas = {
  host: z.object({
    ...head,
    host: hostId,
    /** Absent: another one works it off. */
    facts: factsSchema.optional(),
    guest: z.object({ history: historySchema, series: seriesSchema }).optional(),
    writes: z.array(guestWritesSchema).max(4096).optional(),
  }),
  fleet: z.object({
    ...head,
    /** Number of pieces; lines of one may come before those of another. */
    pieces: z.int().min(1).max(PIECES_MAX),
    lines: z.array(lineSchema).max(LINES_A_PIECE),
  }),
  find: z.object({ ...head, guests: z.array(foundSchema).max(FOUND_MAX), more: z.int().min(0) }),
};
export type AnswerOf<W extends What> = z.output<(typeof answerSchemas)[W]>;
export type Body<T> = Omit<T, "schema">;

export type RefusalReason = "oversized" | "not-gzip" | "too-deep" | "newer-version" | "not-json" | "invalid";

/** A question or an answer is not what it should be. The message names it and the field. */
export class FactsRefusedError extends Error {
  override readonly name = "FactsRefusedError";
  readonly reason: RefusalReason;
  constructor(reason: RefusalReason, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}

/** The bytes of a question or an answer: compressed in a thread, so that ticks go on. */
export async function pack(message: object): Promise<Uint8Array> {
  const text = JSON.stringify({ schema: CONTRACT_VERSION, ...message });
  return compress(text, { level: constants.Z_BEST_SPEED });
}

export function isWhat(kind: string): kind is What {
  return Object.hasOwn(questionSchemas, kind);
}

/** @throws {FactsRefusedError} */
export function readQuestion<W extends What>(what: W, data: Uint8Array): Promise<QuestionOf<W>> {
  return read(questionSchemas[what] as unknown as z.ZodType<QuestionOf<W>>, data, {
    name: `question for ${what}`,
    bytesMax: QUESTION_BYTES_MAX,
  });
}

/** @throws {FactsRefusedError} */
export function readAnswer<W extends What>(what: W, data: Uint8Array): Promise<AnswerOf<W>> {
  return read(answerSchemas[what] as unknown as z.ZodType<AnswerOf<W>>, data, {
    name: `answer on ${what}`,
    bytesMax: ANSWER_BYTES_MAX,
  });
}

async function read<T>(
  type: z.ZodType<T>,
  data: Uint8Array,
  { name, bytesMax }: { name: string; bytesMax: number },
): Promise<T> {
  const json = await unzip(data, name, bytesMax);
  try {
    return parseContract(type, json, name, bytesMax);
  } catch (cause) {
    if (!(cause instanceof ContractError)) throw cause;
    throw new FactsRefusedError(reasonOf(cause), cause.message, { cause });
  }
}

async function unzip(data: Uint8Array, name: string, bytesMax: number): Promise<Uint8Array> {
  try {
    return await decompress(data, { maxOutputLength: bytesMax });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE")
      throw new FactsRefusedError("oversized", `${name}: unzips to more than ${bytesMax} bytes`, { cause });
    throw new FactsRefusedError("not-gzip", `${name}: is not gzip: ${(cause as Error).message}`, { cause });
  }
}

function reasonOf(error: ContractError): RefusalReason {
  if (error instanceof ContractDepthError) return "too-deep";
  if (error instanceof ContractVersionError) return "newer-version";
  return error.cause instanceof SyntaxError ? "not-json" : "invalid";
}
