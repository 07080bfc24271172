import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { libc } from "./libc.ts";
import { NotifySocketError, systemdNotifier } from "./systemd-notify.ts";

const socket = libc.func("int socket(int domain, int type, int protocol)");
const bind = libc.func("int bind(int fd, const void *address, uint32_t size)");
const recv = libc.func("long recv(int fd, _Out_ void *data, size_t size, int flags)");
const close = libc.func("int close(int fd)");

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "kvmgov-notify-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** A receiver made without the code under test. */
function receiver(name: string): { read: () => string; fd: number } {
  const fd = socket(1, 2, 0) as number;
  const bytes = Buffer.concat([Buffer.from([1, 0]), Buffer.from(name.replace(/^@/, "\0"))]);
  expect(bind(fd, bytes, bytes.length)).toBe(0);
  const read = (): string => {
    const data = Buffer.alloc(256);
    const size = recv(fd, data, data.length, 0x40) as number;
    return size < 0 ? "" : data.toString("utf8", 0, size);
  };
  return { read, fd };
}

test.each(["path", "abstract"])("tells who listens at a %s", (kind) => {
  const name = kind === "path" ? path.join(dir, "notify") : `@kvmgov-test-${process.pid}`;
  const { read, fd } = receiver(name);
  const notify = systemdNotifier(name);
  notify("READY=1");
  notify("WATCHDOG=1");
  expect([read(), read(), read()]).toEqual(["READY=1", "WATCHDOG=1", ""]);
  close(fd);
  // Nobody listens any more: nothing is thrown.
  notify("WATCHDOG=1");
});

test("is silent where systemd did not start the service", () => {
  systemdNotifier(undefined)("READY=1");
  systemdNotifier("")("READY=1");
});

test("never waits for a reader that does not read", () => {
  const name = path.join(dir, "full");
  const { fd } = receiver(name);
  const notify = systemdNotifier(name);
  for (let message = 0; message < 5000; message++) notify("WATCHDOG=1");
  close(fd);
});

test("names a socket that cannot be one", () => {
  expect(() => systemdNotifier("relative")).toThrow(NotifySocketError);
  expect(() => systemdNotifier(`/${"x".repeat(200)}`)).toThrow(/201 bytes long/);
});
