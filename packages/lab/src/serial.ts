/** The steering wheel of a guest: its COM1, which is a Unix socket on the host. Protocol: guests/load.asm. */
import { type Socket, connect } from "node:net";
import { LabError } from "./errors.ts";
import { until } from "./process.ts";

const REPORT_REQUEST = 0xff;
const REPORT_MARK = 0xa5;
const REPORT_BYTES = 9;

/** Work that a guest did since it started. */
export interface Work {
  /** Slices that all its vCPUs completed together. */
  rounds: number;
  /** Loop turns of one vCPU in a slice. Rounds times turns compares guests and runs. */
  turnsPerRound: number;
}

export class LoadControl {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: ((work: Work) => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.unref();
    socket.on("data", (chunk) => this.#take(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk)));
    socket.on("error", () => socket.destroy()); // the guest is gone: the next call says so
  }

  /** Connects to a guest's COM1. Throws LabError when nobody listens within `timeoutMs`. */
  static async connect(path: string, timeoutMs = 5000): Promise<LoadControl> {
    const socket = await until(`connecting to ${path}`, timeoutMs, () => open(path));
    return new LoadControl(socket);
  }

  /** Sets the guest's mean load, in percent of each of its vCPUs (0: halted, 100: spinning). Takes about 10 ms. */
  setLoad(percent: number): void {
    if (!Number.isInteger(percent) || percent < 0 || percent > 100) {
      throw new LabError(`load must be a whole number of 0..100 percent, not ${percent}`);
    }
    this.#send(percent);
  }

  /** Work done so far. Answers within a tick (10 ms) that the guest runs; LabError when it does not within `timeoutMs`. */
  work(timeoutMs = 10_000): Promise<Work> {
    return new Promise((resolve, reject) => {
      const answer = (work: Work): void => {
        clearTimeout(timer);
        resolve(work);
      };
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.map((one) => (one === answer ? ignore : one)); // its answer may still come
        reject(new LabError(`the guest did not report within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#waiting.push(answer);
      this.#send(REPORT_REQUEST);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(byte: number): void {
    if (this.#socket.destroyed) throw new LabError("the guest's serial port is closed");
    this.#socket.write(Buffer.of(byte));
  }

  #take(chunk: Buffer): void {
    let rest = Buffer.concat([this.#received, chunk]);
    for (;;) {
      const at = rest.indexOf(REPORT_MARK); // what comes before a mark is noise
      if (at < 0 || rest.length < at + REPORT_BYTES) break;
      this.#waiting.shift()?.({
        rounds: rest.readUInt32LE(at + 1),
        turnsPerRound: rest.readUInt32LE(at + 5),
      });
      rest = rest.subarray(at + REPORT_BYTES);
    }
    this.#received = rest;
  }
}

function ignore(): void {}

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
