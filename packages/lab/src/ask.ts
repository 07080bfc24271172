/** Talking to a server just enough to know that it is up. */
import { connect } from "node:net";

/** Sends `text` to a port (of IPv4 loopback, unless said otherwise) or Unix socket; resolves with the answer once it matches `enough`. Rejects after 1 s. */
export function ask(
  where: number | string,
  text: string,
  enough: RegExp,
  address = "127.0.0.1",
): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = typeof where === "number" ? connect(where, address) : connect(where);
    socket.on("connect", () => socket.write(text));
    socket.setTimeout(1000, () => socket.destroy(new Error(`no answer from ${where}, only "${answer}"`)));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`${where} closed after "${answer}"`)));
    socket.on("data", (chunk) => {
      answer += String(chunk);
      if (!enough.test(answer)) return;
      resolve(answer);
      socket.destroy();
    });
  });
}
