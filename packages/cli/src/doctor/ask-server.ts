/** Asks a server a few lines over TCP or TLS: enough to see whether it is there and lets us in. */
import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";

const TIMEOUT_MS = 5000;
/** What a server says first is small; something else may talk without end. */
const BYTES_MAX = 1 << 20;

export interface Address {
  host: string;
  port: number;
  tls: boolean;
}

/** No answer, or none that says what was waited for. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
}

/**
 * Sends text, and collects what comes until it matches.
 * @throws {NoAnswerError} within five seconds; or the error of the connection
 */
export async function ask({ host, port, tls }: Address, text: string, until: RegExp): Promise<string> {
  const socket: Socket = tls ? connectTls({ host, port, servername: host }) : connectTcp({ host, port });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new NoAnswerError("does not answer within 5 s")));
  try {
    socket.write(text);
    let answer = "";
    for await (const chunk of socket) {
      answer += String(chunk);
      if (until.test(answer)) return answer;
      if (answer.length > BYTES_MAX) break;
    }
    throw new NoAnswerError(`answers ${JSON.stringify(answer.slice(0, 80))}`);
  } finally {
    socket.destroy();
  }
}
