/**
 * LIST_se and LIST_sc as they stand in Redis: membership is judged there, not by what the services say. A client for
 * the two commands that this needs (RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec/); the real
 * one belongs to the classifier.
 */
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { StoreAccess } from "../supervisor/servers.ts";

export class RedisError extends Error {
  override readonly name = "RedisError";
}

/** `undefined` where Redis has no value (a null bulk string). */
export type Reply = string | number | undefined | RedisError | Reply[];

interface Waiting {
  resolve: (reply: Reply) => void;
  reject: (error: Error) => void;
}

export class RedisLists {
  readonly #socket: Socket;
  readonly #host: string;
  #received = Buffer.alloc(0);
  #waiting: Waiting[] = [];
  #failure: RedisError | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on("data", (chunk) => this.#take(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk)));
    socket.on("error", (cause) => this.#fail(new RedisError(`Redis: ${cause.message}`, { cause })));
    socket.on("close", () => this.#fail(new RedisError("Redis closed the connection")));
  }

  /**
   * @param host id of the host whose lists are read
   * @throws {RedisError} not reachable, or the password is wrong
   */
  static async open(access: StoreAccess, host: string): Promise<RedisLists> {
    const { hostname, port } = new URL(access.url);
    const lists = new RedisLists(connect(Number(port), hostname), host);
    try {
      if (access.password !== undefined) await lists.#command("AUTH", access.password);
      return lists;
    } catch (error) {
      lists.close();
      throw error;
    }
  }

  /** UUIDs of the guests in LIST_sc. */
  scientific(): Promise<Set<string>> {
    return this.#members("scientific");
  }

  /** UUIDs of the guests in LIST_se. */
  service(): Promise<Set<string>> {
    return this.#members("service");
  }

  close(): void {
    this.#fail(new RedisError("closed"));
    this.#socket.destroy();
  }

  async #members(list: "service" | "scientific"): Promise<Set<string>> {
    const reply = await this.#command("SMEMBERS", `kvmgov:{${this.#host}}:${list}`);
    if (!Array.isArray(reply)) throw new RedisError(`SMEMBERS answered ${JSON.stringify(reply)}`);
    return new Set(reply.map(String));
  }

  async #command(...words: string[]): Promise<Reply> {
    if (this.#failure !== undefined) throw this.#failure;
    const bulk = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("");
    const reply = await new Promise<Reply>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(`*${words.length}\r\n${bulk}`);
    });

    return reply;
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    try {
      for (;;) {
        const parsed = parseReply(this.#received, 0);
        if (parsed === undefined) return;
        this.#received = this.#received.subarray(parsed.end);
        this.#waiting.shift()?.resolve(parsed.reply);
      }
    } catch (error) {
      this.#fail(error as RedisError);
      this.#socket.destroy();
    }
  }

  #fail(error: RedisError): void {
    this.#failure ??= error;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(this.#failure);
  }
}

/**
 * Parses the reply that begins at `at`.
 * @returns undefined where not all of it is there yet
 * @throws {RedisError} this is no reply
 */
export function parseReply(bytes: Buffer, at: number): { reply: Reply; end: number } | undefined {
  const lineEnd = bytes.indexOf("\r\n", at);
  if (lineEnd < 0) return undefined;
  const type = bytes.toString("latin1", at, at + 1);
  const line = bytes.toString("utf8", at + 1, lineEnd);
  const end = lineEnd + 2;
  if (type === "+") return { reply: line, end };
  if (type === "-") return { reply: new RedisError(line), end };
  const number = Number(line);
  if (Number.isInteger(number)) {
    if (type === ":") return { reply: number, end };
    if (type === "$") return parseBulk(bytes, end, number);
    if (type === "*") return parseArray(bytes, end, number);
  }
  throw new RedisError(`not a reply of Redis: ${JSON.stringify(`${type}${line}`.slice(0, 80))}`);
}

function parseBulk(bytes: Buffer, at: number, length: number): { reply: Reply; end: number } | undefined {
  if (length < 0) return { reply: undefined, end: at };
  if (bytes.length < at + length + 2) return undefined;
  return { reply: bytes.toString("utf8", at, at + length), end: at + length + 2 };
}

function parseArray(bytes: Buffer, at: number, count: number): { reply: Reply; end: number } | undefined {
  const replies: Reply[] = [];
  let end = at;
  for (let i = 0; i < count; i++) {
    const parsed = parseReply(bytes, end);
    if (parsed === undefined) return undefined;
    replies.push(parsed.reply);
    end = parsed.end;
  }
  return { reply: replies, end };
}
