/** The guest's shell against a serial port that echoes, is late, and breaks answers into pieces. */
import { afterAll, afterEach, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { type Server, type Socket, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { GuestShell } from "./shell.ts";

const dir = mkdtempSync(path.join(tmpdir(), "kvmgov-shell-"));
let server: Server | undefined;
let shell: GuestShell;

afterEach(() => {
  shell.close();
  server?.close();
});
afterAll(() => rmSync(dir, { recursive: true }));

async function guest(answer: (id: string, command: string, socket: Socket) => void): Promise<GuestShell> {
  const file = path.join(dir, `socket-${Math.random()}`);
  server = createServer((socket) => {
    socket.on("data", (chunk) => {
      for (const line of String(chunk).split("\n").filter(Boolean)) {
        const [, id = "", command = ""] = /^(\d+) (.*)$/.exec(line) ?? [];
        answer(id, command, socket);
      }
    });
  });
  await new Promise<void>((resolve) => server?.listen(file, resolve));
  return (shell = new GuestShell(file));
}

const encoded = (text: string): string => Buffer.from(text).toString("base64");

test("waits for a guest that boots, and is not misled by an echo", async () => {
  let asked = 0;
  const booting = await guest((id, command, socket) => {
    socket.write(`${id} ${command}\r\n`); // a terminal that is not raw yet
    if (++asked > 1) socket.write(`${id} 0 \n`);
  });
  await booting.synchronize(5000);
  expect(asked).toBe(2);
});

test("gives the output of a command, also in pieces, and what failed", async () => {
  const up = await guest((id, command, socket) => {
    const answer =
      command === "bad" ? `${id} 3 ${encoded("no such thing")}\n` : `${id} 0 ${encoded(`did ${command}`)}\n`;
    socket.write(answer.slice(0, 4));
    setTimeout(() => socket.write(answer.slice(4)), 5);
  });
  await up.synchronize(5000);
  expect(await Promise.all([up.run("one"), up.run("two")])).toEqual(["did one", "did two"]);
  await expect(up.run("bad")).rejects.toThrow("in the guest: bad: exit code 3: no such thing");
  await expect(up.run("a\nb")).rejects.toThrow("not one line");
});

test("a command that takes too long is an error, and its late answer is nobody's", async () => {
  let late: string | undefined;
  const up = await guest((id, command, socket) => {
    if (command === "slow") late = id;
    else
      socket.write(
        `${late === undefined ? "" : `${late} 0 ${encoded("late")}\n`}${id} 0 ${encoded(command)}\n`,
      );
  });
  await up.synchronize(5000);
  await expect(up.run("slow", 30)).rejects.toThrow("not within 30 ms: slow");
  expect(await up.run("next")).toBe("next");
});

test("a guest that goes away fails what was asked at once, and all that comes after", async () => {
  const up = await guest((id, command, socket) => {
    if (command === "die") socket.destroy();
    else socket.write(`${id} 0 \n`);
  });
  await up.synchronize(5000);
  await expect(up.run("die", 60_000)).rejects.toThrow("is gone");
  await expect(up.run("true", 60_000)).rejects.toThrow("is gone");
});

test("a guest that never answers is named", async () => {
  shell = new GuestShell(path.join(dir, "nobody"));
  await expect(shell.synchronize(100)).rejects.toThrow(/nobody does not answer within 100 ms/);
});
