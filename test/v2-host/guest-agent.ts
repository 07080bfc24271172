/**
 * The QEMU guest agent of a test host, over its virtio port: running commands and moving files (qemu-ga(8), QMP). One
 * request at a time is under way; commands themselves run side by side.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { V2HostError } from "./errors.ts";

export interface CommandResult {
  /** Exit code; 128 and the signal's number where one ended it, as a shell has it. */
  code: number;
  stdout: string;
  stderr: string;
}

interface ExecStatus {
  exited: boolean;
  exitcode?: number;
  signal?: number;
  "out-data"?: string;
  "err-data"?: string;
}

interface Answer {
  return?: unknown;
  error?: { class: string; desc: string };
}

const POLL_MS = 30;
/** On a quiet machine. */
const ANSWER_MS_MAX = 60_000;
const SYNC_MS_MAX = 2000;
/** Bytes of a file that are moved with one request. */
const CHUNK_BYTES = 1 << 20;

export class GuestAgent {
  /** How much longer than on a quiet machine an answer may take. */
  slowness = 1;
  readonly #path: string;
  #socket: Socket | undefined;
  #received = "";
  #waiting: ((answer: Answer) => void) | undefined;
  #lastSync = 0;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param path of the Unix socket that QEMU listens on */
  constructor(path: string) {
    this.#path = path;
  }

  /** Waits until the agent answers. What was asked before a reset of the host is never answered: it is dropped. */
  async synchronize(timeoutMs: number, problem: () => string | undefined = () => undefined): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const why = problem();
      if (why !== undefined) throw new V2HostError(why);
      if (Date.now() > deadline)
        throw new V2HostError(`the guest agent does not answer within ${timeoutMs} ms`);
      try {
        if (await this.#sync()) return;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== "ENOENT" && code !== "ECONNREFUSED") throw error; // QEMU is not up yet
      }
      await sleep(200);
    }
  }

  /** Runs a command line in `sh`. @throws {V2HostError} it did not end in time, and was killed */
  async run(command: string, timeoutMs: number): Promise<CommandResult> {
    const exec = { path: "/bin/sh", arg: ["-c", command], "capture-output": true };
    const { pid } = (await this.#call("guest-exec", exec)) as { pid: number };
    for (const deadline = Date.now() + timeoutMs; ;) {
      const status = (await this.#call("guest-exec-status", { pid })) as ExecStatus;
      if (status.exited) return resultOf(status);
      if (Date.now() > deadline) {
        await this.#call("guest-exec", { path: "/bin/kill", arg: ["-KILL", String(pid)] });
        throw new V2HostError(`not within ${timeoutMs} ms: ${command}`);
      }
      await sleep(POLL_MS);
    }
  }

  /** Starts a command line in `sh` and asks no more about it. */
  async start(command: string): Promise<void> {
    await this.#call("guest-exec", { path: "/bin/sh", arg: ["-c", command] });
  }

  /** Writes a file, from its beginning. */
  async put(file: string, content: Uint8Array): Promise<void> {
    const handle = await this.#call("guest-file-open", { path: file, mode: "w" });
    try {
      for (let at = 0; at < content.length; at += CHUNK_BYTES) {
        const data = Buffer.from(content.subarray(at, at + CHUNK_BYTES)).toString("base64");
        await this.#call("guest-file-write", { handle, "buf-b64": data });
      }
    } finally {
      await this.#call("guest-file-close", { handle });
    }
  }

  /** Reads a file from `offset` to its end. */
  async get(file: string, offset = 0): Promise<Buffer> {
    const handle = await this.#call("guest-file-open", { path: file, mode: "r" });
    const chunks: Buffer[] = [];
    try {
      if (offset > 0) await this.#call("guest-file-seek", { handle, offset, whence: "set" });
      for (let atEnd = false; !atEnd;) {
        const part = await this.#call("guest-file-read", { handle, count: CHUNK_BYTES });
        const { eof, "buf-b64": data } = part as { eof: boolean; "buf-b64": string };
        chunks.push(Buffer.from(data, "base64"));
        atEnd = eof || data === "";
      }
    } finally {
      await this.#call("guest-file-close", { handle });
    }
    return Buffer.concat(chunks);
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  /** One attempt; what is in the way comes before the answer and is thrown away. */
  async #sync(): Promise<boolean> {
    const id = ++this.#lastSync;
    const isOurs = (answer: Answer): boolean => answer.return === id;
    return (
      (await this.#exchange(
        { execute: "guest-sync", arguments: { id } },
        SYNC_MS_MAX * this.slowness,
        isOurs,
      )) !== undefined
    );
  }

  async #call(execute: string, args: object): Promise<unknown> {
    const answer = await this.#exchange({ execute, arguments: args }, ANSWER_MS_MAX * this.slowness);
    if (answer === undefined) throw new V2HostError(`the guest agent did not answer ${execute}`);
    if (answer.error !== undefined) throw new V2HostError(`${execute}: ${answer.error.desc}`);
    return answer.return;
  }

  /** Requests wait for each other: answers bear no name. */
  #exchange(
    request: object,
    timeoutMs: number,
    isIt: (answer: Answer) => boolean = () => true,
  ): Promise<Answer | undefined> {
    const turn = this.#turn.then(() => this.#ask(request, timeoutMs, isIt));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #ask(
    request: object,
    timeoutMs: number,
    isIt: (answer: Answer) => boolean,
  ): Promise<Answer | undefined> {
    const socket = await this.#connected();
    return new Promise((resolve) => {
      const done = (answer: Answer | undefined): void => {
        clearTimeout(timer);
        this.#waiting = undefined;
        resolve(answer);
      };
      const timer = setTimeout(() => done(undefined), timeoutMs);
      this.#waiting = (answer) => isIt(answer) && done(answer);
      socket.write(`${JSON.stringify(request)}\n`);
    });
  }

  async #connected(): Promise<Socket> {
    if (this.#socket?.destroyed === false) return this.#socket;
    const socket = await open(this.#path);
    this.#received = "";
    socket.setEncoding("latin1");
    socket.on("data", (text) => this.#take(String(text)));
    socket.on("error", () => socket.destroy());
    return (this.#socket = socket);
  }

  #take(text: string): void {
    const lines = (this.#received + text).split("\n");
    this.#received = lines.pop() ?? "";
    for (const line of lines) this.#waiting?.(JSON.parse(line.replace(/^\xff+/, "")) as Answer);
  }
}

function resultOf({ exitcode, signal, ...data }: ExecStatus): CommandResult {
  const text = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString();
  return {
    code: exitcode ?? 128 + (signal ?? 0),
    stdout: text(data["out-data"]),
    stderr: text(data["err-data"]),
  };
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}
