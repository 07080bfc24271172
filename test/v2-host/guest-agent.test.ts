/** The guest agent's client against an agent that answers late, or for somebody before. */
import { afterAll, afterEach, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { GuestAgent } from "./guest-agent.ts";

interface Request {
  execute: string;
  arguments: { id?: number; pid?: number; arg?: string[]; path?: string };
}

const dir = mkdtempSync(path.join(tmpdir(), "kvmgov-agent-"));
let server: Server | undefined;
let agent: GuestAgent | undefined;

afterEach(() => {
  agent?.close();
  server?.close();
});

afterAll(() => {
  rmSync(dir, { recursive: true });
});

/** Listens as QEMU does, and answers what `answer` says. */
async function listen(answer: (request: Request, socket: Socket) => unknown): Promise<GuestAgent> {
  const file = path.join(dir, `socket-${Math.random()}`);
  server = createServer((socket) => {
    socket.on("data", (chunk) => {
      for (const line of String(chunk).split("\n").filter(Boolean)) {
        const value = answer(JSON.parse(line) as Request, socket);
        if (value !== undefined) socket.write(`${JSON.stringify(value)}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server?.listen(file, resolve));
  return (agent = new GuestAgent(file));
}

test("answers to what was asked before a reset are not taken for answers now", async () => {
  const client = await listen((request, socket) => {
    if (request.execute !== "guest-sync") return { return: { pid: 7 } };
    socket.write(
      `${JSON.stringify({ return: { exited: true, exitcode: 3 } })}\n{"return":0}\n\xff`,
      "latin1",
    );
    return { return: request.arguments.id };
  });
  await client.synchronize(5000);
  await client.start("true");
});

test("a command's output, exit code and signal", async () => {
  const client = await listen(({ execute, arguments: { id, arg } }) => {
    if (execute === "guest-sync") return { return: id };
    if (execute === "guest-exec") return { return: { pid: arg?.[1] === "crash" ? 2 : 1 } };
    return { return: { exited: true, exitcode: 3, "out-data": "w6QK", "err-data": "" } };
  });
  await client.synchronize(5000);
  expect(await client.run("true", 1000)).toEqual({ code: 3, stdout: "ä\n", stderr: "" });
});

test("a command that does not end is killed and named", async () => {
  const killed: unknown[] = [];
  const client = await listen(({ execute, arguments: given }) => {
    if (execute === "guest-sync") return { return: given.id };
    if (execute === "guest-exec" && given.path === "/bin/kill") killed.push(given.arg);
    return execute === "guest-exec" ? { return: { pid: 42 } } : { return: { exited: false } };
  });
  await client.synchronize(5000);
  await expect(client.run("sleep 99", 50)).rejects.toThrow("not within 50 ms: sleep 99");
  expect(killed).toEqual([["-KILL", "42"]]);
});

test("an error is told with the agent's words; a host that ended is not waited for", async () => {
  const client = await listen(({ execute, arguments: { id } }) =>
    execute === "guest-sync" ? { return: id } : { error: { class: "GenericError", desc: "no such file" } },
  );
  await client.synchronize(5000);
  await expect(client.get("/nowhere")).rejects.toThrow("guest-file-open: no such file");
  await expect(client.synchronize(60_000, () => "it ended")).rejects.toThrow("it ended");
});
