/** Messages that cannot be worked off: told apart by reason, counted, logged, never again asked for. */
import type { z } from "zod";
import {
  ContractDepthError,
  ContractError,
  ContractVersionError,
  MESSAGE_BYTES_MAX,
  parseContract,
  parseSample,
} from "@kvm-governor/policy";
import type { Sample } from "@kvm-governor/policy";
import { NO_SPAN } from "@kvm-governor/service-kit";
import type { BusMessage, Logger, MessageKind, Span } from "@kvm-governor/service-kit";
import type { ClassifierMetrics } from "./metrics.ts";

/**
 * `oversized`: more than a message may hold; `too-deep`: nested deeper than any contract; `newer-version`: of a later major version
 * of the contracts, or what is stored or published of its host is: this program must be upgraded; `not-json`; `invalid`: a field is missing or wrong; `wrong-host`: it
 * speaks for another host than its subject; `failed`: it could be read and not decided on (a defect of ours);
 * `duplicate-host`: another machine with this host's id is governed already.
 */
export type RefusalReason =
  | "oversized"
  | "too-deep"
  | "newer-version"
  | "not-json"
  | "invalid"
  | "wrong-host"
  | "duplicate-host"
  | "failed";

/** A message was refused. The message names kind, subject and field. */
export class MessageRefusedError extends Error {
  override readonly name = "MessageRefusedError";
  readonly reason: RefusalReason;
  constructor(reason: RefusalReason, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}

/** What is looked at of a message to read it. */
type Readable = Pick<BusMessage, "data" | "host" | "subject">;

/**
 * Reads a message of the bus.
 * @throws {MessageRefusedError}
 */
export function readMessage<T extends { host: string }>(
  schema: z.ZodType<T>,
  kind: MessageKind,
  message: Readable,
): T {
  return readAs((data, what) => parseContract(schema, data, what), kind, message);
}

/** As {@link readMessage}, of the kind that comes most. @throws {MessageRefusedError} */
export function readSample(message: Readable): Sample {
  return readAs(parseSample, "sample", message);
}

function readAs<T extends { host: string }>(
  parse: (data: Uint8Array, what: string) => T,
  kind: MessageKind,
  message: Readable,
): T {
  const what = `${kind} on ${message.subject}`;
  let value: T;
  try {
    value = parse(message.data, what);
  } catch (cause) {
    if (!(cause instanceof ContractError)) throw cause;
    throw new MessageRefusedError(reasonOf(message.data, cause), cause.message, { cause });
  }
  if (value.host !== message.host) {
    throw new MessageRefusedError(
      "wrong-host",
      `${what}: host: is ${value.host}, the subject's is ${message.host}`,
    );
  }
  return value;
}

function reasonOf(data: Uint8Array, error: ContractError): RefusalReason {
  if (data.length > MESSAGE_BYTES_MAX) return "oversized";
  if (error instanceof ContractDepthError) return "too-deep";
  if (error instanceof ContractVersionError) return "newer-version";
  return error.cause instanceof SyntaxError ? "not-json" : "invalid";
}

/** One line a minute for each host and reason: a host that goes wrong must not flood the log. The metric counts all. */
const LOG_EVERY_MS = 60_000;
const REMEMBERED_MAX = 10_000;

export interface RefusalsOptions {
  log: Logger;
  metrics: ClassifierMetrics;
  /** Monotonic clock, milliseconds. */
  now: () => number;
  /** Keeps a refused message for people to look at. */
  setAside: (kind: MessageKind, message: BusMessage, reason: string, text: string) => void;
}

/** Counts, logs, sets aside and ends messages that were refused. */
export class Refusals {
  readonly #options: RefusalsOptions;
  readonly #loggedAt = new Map<string, number>();

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  /** @param span of the message, where it has one */
  refuse(kind: MessageKind, message: BusMessage, error: MessageRefusedError, span: Span = NO_SPAN): void {
    const { metrics, log, setAside } = this.#options;
    span.fail(error.reason, error.message);
    metrics.refused.inc({ kind, reason: error.reason });
    const key = `${kind} ${message.host} ${error.reason}`;
    const now = this.#options.now();
    if (now - (this.#loggedAt.get(key) ?? -LOG_EVERY_MS) >= LOG_EVERY_MS) {
      if (this.#loggedAt.size >= REMEMBERED_MAX) this.#loggedAt.clear();
      this.#loggedAt.set(key, now);
      // The causes of a contract error list every field that is wrong: too much for a log, but a defect needs its stack.
      const detail = error.reason === "failed" ? { err: error } : {};
      log.warn(
        { event: `${kind}-refused`, host: message.host, reason: error.reason, ...detail },
        error.message,
      );
    }
    setAside(kind, message, error.reason, error.message);
    message.term(error.reason);
  }
}
