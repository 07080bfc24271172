/** Commands to a guest over a virtio serial port, which is a Unix socket of QEMU. Protocol: init.sh. */
import { type Socket, connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { PaperGuestError } from "./errors.ts";

export interface CommandResult {
  code: number;
  /** Standard output and standard error together. */
  output: string;
}

const SYNC_MS = 500;
/** A guest of a busy machine, held below everybody else, may be very late. */
const ANSWER_MS_MAX = 180_000;
const ANSWER = /^(\d+) (\d+)(?: ([A-Za-z0-9+/=]*))?$/; // a command may have said nothing

/** One command is under way at a time. */
export class GuestShell {
  readonly #path: string;
  #socket: Socket | undefined;
  #received = "";
  #lastId = 0;
  readonly #waiting = new Map<number, PromiseWithResolvers<CommandResult>>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Asks until the guest answers; it is booting. @throws {PaperGuestError} it does not within `timeoutMs` */
  async synchronize(timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (Date.now() < deadline) {
      if (this.#socket === undefined && !(await this.#connect())) await sleep(50);
      else if ((await this.#ask("true", SYNC_MS)) !== undefined) return;
    }
    throw new PaperGuestError(`the guest at ${this.#path} does not answer within ${timeoutMs} ms`);
  }

  /** Runs a command line in the guest's `sh`. @throws {PaperGuestError} it fails, or does not end within `timeoutMs` */
  async run(command: string, timeoutMs = ANSWER_MS_MAX): Promise<string> {
    const { code, output } = await this.tryRun(command, timeoutMs);
    if (code !== 0)
      throw new PaperGuestError(`in the guest: ${command}: exit code ${code}: ${output.trim()}`);
    return output;
  }

  /** The same, whatever its exit code. @throws {PaperGuestError} it does not end within `timeoutMs` */
  tryRun(command: string, timeoutMs = ANSWER_MS_MAX): Promise<CommandResult> {
    if (/[\r\n]/.test(command)) throw new PaperGuestError(`not one line: ${JSON.stringify(command)}`);
    const result = this.#turn.then(async () => {
      const found = await this.#ask(command, timeoutMs);
      if (found === undefined)
        throw new PaperGuestError(`in the guest: not within ${timeoutMs} ms: ${command}`);
      return found;
    });
    this.#turn = result.catch(() => undefined); // whoever asked hears of it; the next one has its turn
    return result;
  }

  /** What is asked for at this moment fails. */
  close(): void {
    this.#socket?.destroy();
  }

  #gone(): void {
    this.#socket = undefined;
    for (const { reject } of this.#waiting.values()) {
      reject(new PaperGuestError(`the guest at ${this.#path} is gone`));
    }
  }

  async #ask(command: string, timeoutMs: number): Promise<CommandResult | undefined> {
    if (this.#socket === undefined) throw new PaperGuestError(`the guest at ${this.#path} is gone`);
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<CommandResult>();
    this.#waiting.set(id, answer);
    const timer = new AbortController();
    try {
      this.#socket.write(`${id} ${command}\n`);
      return await Promise.race([answer.promise, sleep(timeoutMs, undefined, { signal: timer.signal })]);
    } finally {
      timer.abort();
      this.#waiting.delete(id);
    }
  }

  #connect(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.#path);
      socket.once("error", () => resolve(false)); // QEMU is not up yet, or the guest is gone: the next command says so
      socket.once("connect", () => {
        this.#socket = socket;
        socket.on("data", (chunk) => this.#take(String(chunk)));
        socket.on("close", () => this.#gone());
        resolve(true);
      });
    });
  }

  /** What is no answer (an echo of a terminal that is not raw yet, a late answer) is left out. */
  #take(text: string): void {
    const lines = (this.#received + text).split("\n");
    this.#received = lines.pop() ?? "";
    for (const line of lines) {
      const [, id, code, output = ""] = ANSWER.exec(line.trim()) ?? [];
      if (id === undefined) continue;
      this.#waiting.get(Number(id))?.resolve({
        code: Number(code),
        output: Buffer.from(output, "base64").toString(),
      });
    }
  }
}
