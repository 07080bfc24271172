import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { subjects } from "@kvm-governor/policy";
import bcrypt from "bcryptjs";
import { CredentialsBook } from "./book.ts";

let dir: string;
const now = new Date("2026-11-20T10:00:00Z");

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "kvmgov-book-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const open = (): CredentialsBook => new CredentialsBook(dir);
const users = (): string[] => open().users.map(({ user }) => user);

test("keeps users over runs, and of a password only a hash that nats-server knows", () => {
  const { user, password } = open().add("h1", now);
  expect(user).toBe("h1.1");
  expect(open().users).toEqual([
    { host: "h1", user, made: now.toISOString(), hash: expect.stringMatching(/^\$2[ab]\$/) },
  ]);
  expect(bcrypt.compareSync(password, open().users[0]?.hash ?? "")).toBe(true);
  expect(open().add("h2", now).password).not.toBe(password);
});

test("has at most two users of a host: the newest and the one before", () => {
  open().add("h1", now);
  expect(open().rotate("h1", now).user).toBe("h1.2");
  expect(() => open().rotate("h1", now)).toThrow(/has two users: retire the older one first/);
  expect(open().retire("h1")).toEqual(["h1.1"]);
  expect(() => open().retire("h1")).toThrow(/has one user: rotate first/);
  // Counts on: a user that was removed never comes back under its name while the host has one.
  expect(open().rotate("h1", now).user).toBe("h1.3");
  expect(open().remove("h1")).toEqual(["h1.2", "h1.3"]);
  expect(users()).toEqual([]);
});

test("gives each user rights on its own host's subjects", () => {
  open().add("h1", now);
  const book = open();
  book.add("h2", now);
  const text = readFileSync(book.serverFile, "utf8");
  // A hash is of random letters: one may spell a host's id.
  const blocks = text
    .replaceAll(/\$2[aby]\$[^"]+/g, "HASH")
    .split("\n    {")
    .slice(1);
  expect(blocks).toHaveLength(3);
  expect(blocks[0]).toContain("user: control, password: $NATS_CONTROL_PASSWORD");
  for (const [at, own, other] of [
    [1, "h1", "h2"],
    [2, "h2", "h1"],
  ] as const) {
    for (const kind of ["sample", "applied", "host"] as const) {
      expect(blocks[at]).toContain(`"${subjects[kind](own)}"`);
      expect(blocks[at]).toContain(`"kvmgov.v1.${kind}.${own}"`);
    }
    expect(blocks[at]).not.toContain(other);
    expect(blocks[at]).not.toMatch(/"(>|_INBOX\.>|\$KV\.[^"]*|\$JS\.API\.>)"/);
  }
});

test.each(["h1.>", "*", 'h"1', "a b", "", "h1\n"])("refuses %j as a host", (host) => {
  expect(() => open().add(host, now)).toThrow(/is no host id/);
});

test("refuses a second user by add, and a host that has none", () => {
  open().add("h1", now);
  expect(() => open().add("h1", now)).toThrow(/host h1 has a user: rotate or remove it/);
  for (const action of ["rotate", "retire", "remove"] as const) {
    expect(() => open()[action]("nobody", now)).toThrow(/host nobody has no user/);
  }
});

test.each(["{", '{"version":2,"users":[]}', '{"version":1,"users":[{"host":"x"}]}'])(
  "refuses the book %s",
  (text) => {
    writeFileSync(path.join(dir, "hosts.json"), text);
    expect(open).toThrow(/hosts\.json is not a book of users/);
  },
);
