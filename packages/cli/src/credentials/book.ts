/** The hosts' users: a directory with the book (hashes only) and the server's configuration that is made from it. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import bcrypt from "bcryptjs";
import { hostId } from "@kvm-governor/policy";
import { z } from "zod";
import { authorizationText } from "./authorization.ts";

const userSchema = z.strictObject({
  host: hostId,
  user: z.string().regex(/^[A-Za-z0-9_-]+\.\d+$/),
  hash: z.string().regex(/^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/),
  /** When it was made, as an ISO date. */
  made: z.iso.datetime(),
});
export type HostUser = z.output<typeof userSchema>;

const bookSchema = z.strictObject({ version: z.literal(1), users: z.array(userSchema).max(100_000) });

/** A book that cannot be read, or a host that is not as asked. */
export class CredentialsError extends Error {
  override readonly name = "CredentialsError";
}

export interface Credentials {
  host: string;
  user: string;
  /** Shown once; only its hash is kept. */
  password: string;
}

/** nats-server verifies at each connect, a fleet's at once after a restart: strong passwords need no slow hash. */
const BCRYPT_COST = 8;
const PASSWORD_BYTES = 24;

export class CredentialsBook {
  readonly #dir: string;
  readonly #users: HostUser[];

  /** @throws {CredentialsError} the book is not one of ours */
  constructor(dir: string) {
    this.#dir = dir;
    this.#users = readBook(this.#file);
  }

  get users(): readonly HostUser[] {
    return this.#users;
  }

  get serverFile(): string {
    return path.join(this.#dir, "authorization.conf");
  }

  /** @throws {CredentialsError} the host has a user, or its id cannot be one */
  add(host: string, now: Date): Credentials {
    if (!hostId.safeParse(host).success) {
      throw new CredentialsError(`${JSON.stringify(host)} is no host id: 1 to 128 of A-Z a-z 0-9 _ -`);
    }
    if (this.#of(host).length > 0) throw new CredentialsError(`host ${host} has a user: rotate or remove it`);
    return this.#make(host, 1, now);
  }

  /** A second user beside the first: both may log in until the older is retired. @throws {CredentialsError} no such host, or it has two */
  rotate(host: string, now: Date): Credentials {
    const users = this.#existing(host);
    if (users.length > 1) {
      throw new CredentialsError(`host ${host} has two users: retire the older one first`);
    }
    return this.#make(host, Number(users[0]?.user.split(".")[1]) + 1, now);
  }

  /** Removes all but the newest. @returns users that were removed @throws {CredentialsError} there is only one */
  retire(host: string): string[] {
    const older = this.#existing(host).slice(0, -1);
    if (older.length === 0) throw new CredentialsError(`host ${host} has one user: rotate first`);
    return this.#drop(older);
  }

  /** @returns users that were removed @throws {CredentialsError} no such host */
  remove(host: string): string[] {
    return this.#drop(this.#existing(host));
  }

  /** Makes the server's file anew, after a change of what hosts may do. */
  write(): void {
    mkdirSync(this.#dir, { recursive: true, mode: 0o750 });
    replace(this.#file, `${JSON.stringify({ version: 1, users: this.#users }, null, 2)}\n`);
    replace(this.serverFile, authorizationText(this.#users));
  }

  get #file(): string {
    return path.join(this.#dir, "hosts.json");
  }

  #of(host: string): HostUser[] {
    return this.#users.filter((user) => user.host === host);
  }

  #existing(host: string): HostUser[] {
    const users = this.#of(host);
    if (users.length === 0)
      throw new CredentialsError(`host ${host} has no user: "kvmgov credentials add ${host}"`);
    return users;
  }

  #make(host: string, count: number, now: Date): Credentials {
    const user = `${host}.${count}`;
    const password = randomBytes(PASSWORD_BYTES).toString("base64url");
    const hash = bcrypt.hashSync(password, BCRYPT_COST);
    this.#users.push({ host, user, hash, made: now.toISOString() });
    this.write();
    return { host, user, password };
  }

  #drop(users: readonly HostUser[]): string[] {
    for (const user of users) this.#users.splice(this.#users.indexOf(user), 1);
    this.write();
    return users.map(({ user }) => user);
  }
}

function readBook(file: string): HostUser[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new CredentialsError(`${file}: ${(cause as Error).message}`, { cause });
  }
  try {
    return bookSchema.parse(JSON.parse(text)).users;
  } catch (cause) {
    throw new CredentialsError(`${file} is not a book of users as "kvmgov credentials" keeps it`, { cause });
  }
}

/** Whole or not at all; nobody but its owner reads it. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
