/** Asks a server a few lines over TCP or TLS: enough to see whether it is there and lets us in. */
import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { TlsMaterial } from "@kvm-governor/service-kit";

const TIMEOUT_MS = 5000;
/** What a server says first is small; something else may talk without end. */
const BYTES_MAX = 1 << 20;

export interface Address {
  host: string;
  port: number;
  tls: boolean;
  /** Certificates for TLS; by default those that Node knows. */
  files?: TlsMaterial;
  /** The server's first line comes before TLS begins, as with NATS. */
  greetsInClear?: boolean;
}

/** No answer, or none that says what was waited for. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
}

/**
 * Sends text, and collects what comes until that is enough.
 * @throws {NoAnswerError} within five seconds; or the error of the connection
 */
export async function ask(
  address: Address,
  text: string,
  isEnough: (answer: string) => boolean,
): Promise<string> {
  const sockets: Socket[] = [];
  const open = (socket: Socket): Socket => {
    sockets.push(socket);
    return socket.setTimeout(TIMEOUT_MS, () =>
      socket.destroy(new NoAnswerError("does not answer within 5 s")),
    );
  };
  try {
    const { host, port, tls, files, greetsInClear = false } = address;
    if (!tls) return await converse(open(connectTcp({ host, port })), text, isEnough);
    if (!greetsInClear)
      return await converse(open(connectTls({ host, port, servername: host, ...files })), text, isEnough);
    const plain = open(connectTcp({ host, port }));
    const greeting = await firstLine(plain);
    const secure = open(connectTls({ socket: plain, servername: host, ...files }));
    return await converse(secure, text, isEnough, greeting);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

async function converse(
  socket: Socket,
  text: string,
  isEnough: (answer: string) => boolean,
  before = "",
): Promise<string> {
  socket.write(text);
  let answer = before;
  for await (const chunk of socket) {
    answer += String(chunk);
    if (isEnough(answer)) return answer;
    if (answer.length > BYTES_MAX) break;
  }
  throw new NoAnswerError(`answers ${JSON.stringify(answer.slice(0, 80))}`);
}

/** Leaves the socket open for TLS, which an iterator would close. */
function firstLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = "";
    const take = (chunk: Buffer): void => {
      line += String(chunk);
      if (!line.includes("\n") && line.length <= BYTES_MAX) return;
      socket.off("data", take).off("error", reject).off("close", gone).pause();
      resolve(line);
    };
    const gone = (): void => reject(new NoAnswerError(`answers ${JSON.stringify(line.slice(0, 80))}`));
    socket.on("data", take).once("error", reject).once("close", gone);
  });
}
