import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { afterEach, describe, expect, it } from "@jest/globals";
import { RedisError, RedisLists, parseReply } from "./redis-lists.ts";

describe("a reply of Redis", () => {
  const cases: [string, unknown][] = [
    ["+OK\r\n", "OK"],
    [":42\r\n", 42],
    ["$5\r\na\r\nbc\r\n", "a\r\nbc"],
    ["$-1\r\n", undefined],
    ["*2\r\n$1\r\na\r\n*1\r\n:1\r\n", ["a", [1]]],
    ["*0\r\n", []],
  ];

  it.each(cases)("%j is understood, and nothing of it before it is all there", (text, reply) => {
    const bytes = Buffer.from(text);
    expect(parseReply(bytes, 0)).toEqual({ reply, end: bytes.length });
    for (let length = 0; length < bytes.length; length++) {
      expect(parseReply(bytes.subarray(0, length), 0)).toBeUndefined();
    }
  });

  it("is refused where it is none", () => {
    expect(() => parseReply(Buffer.from("HTTP/1.1 400\r\n"), 0)).toThrow(RedisError);
  });
});

describe("the lists", () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.close();
  });

  /** Answers each request with the next reply, one byte at a time. */
  async function serve(replies: string[]): Promise<{ url: string; asked: string[] }> {
    const asked: string[] = [];
    const listening = createServer((socket) => {
      socket.on("data", (chunk) => {
        asked.push(String(chunk));
        const reply = replies.shift();
        if (reply === undefined) socket.destroy();
        else for (const char of reply) socket.write(char);
      });
    });
    server = listening;
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    return { url: `redis://127.0.0.1:${(listening.address() as AddressInfo).port}`, asked };
  }

  it("are read with the password, from the keys of the host", async () => {
    const { url, asked } = await serve(["+OK\r\n", "*2\r\n$1\r\na\r\n$1\r\nb\r\n", "*0\r\n"]);
    const lists = await RedisLists.open({ url, password: "secret" }, "demo");
    expect(await lists.scientific()).toEqual(new Set(["a", "b"]));
    expect(await lists.service()).toEqual(new Set());
    lists.close();
    expect(asked).toEqual([
      "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n",
      "*2\r\n$8\r\nSMEMBERS\r\n$24\r\nkvmgov:{demo}:scientific\r\n",
      "*2\r\n$8\r\nSMEMBERS\r\n$21\r\nkvmgov:{demo}:service\r\n",
    ]);
  });

  it("say why they cannot be read", async () => {
    const { url } = await serve(["-WRONGPASS invalid password\r\n", "-NOAUTH Authentication required.\r\n"]);
    await expect(RedisLists.open({ url, password: "wrong" }, "demo")).rejects.toThrow("WRONGPASS");
    const lists = await RedisLists.open({ url }, "demo");
    await expect(lists.service()).rejects.toThrow("NOAUTH");
    await expect(lists.service()).rejects.toThrow("closed the connection");
    await expect(lists.service()).rejects.toThrow(RedisError);
  });
});
