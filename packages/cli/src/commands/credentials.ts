/** `kvmgov credentials`: a user of NATS for each host, which may do that host's work and nothing else. */
import { writeFileSync } from "node:fs";
import type { CredentialsAction } from "../credentials/actions.ts";
import { CredentialsBook, type Credentials } from "../credentials/book.ts";

export interface CredentialsFlags {
  dir: string;
  /** Not `envFile`: Node takes --env-file for itself, wherever it stands. */
  output?: string;
  json?: boolean;
}

/** A host was left out, or given where none belongs. */
export class CredentialsUsageError extends Error {
  override readonly name = "CredentialsUsageError";
}

export function credentialsCommand(
  action: CredentialsAction,
  host: string | undefined,
  flags: CredentialsFlags,
): Promise<number> {
  const book = new CredentialsBook(flags.dir);
  if (action === "list" || action === "write") {
    if (host !== undefined) throw new CredentialsUsageError(`"${action}" takes no host`);
    if (action === "write") book.write();
    const users = book.users.map(({ host: id, user, made }) => ({ host: id, user, made }));
    print(
      flags,
      { users },
      users.length === 0 ? ["No host has a user."] : users.map(({ user, made }) => `${user}  made ${made}`),
    );
    return Promise.resolve(0);
  }
  if (host === undefined) {
    throw new CredentialsUsageError(`"${action}" needs a host id (on the host: kvmgov version --json)`);
  }
  if (action === "add" || action === "rotate") give(book[action](host, new Date()), flags, book.serverFile);
  else {
    const removed = book[action](host);
    print(flags, { removed }, [...removed.map((user) => `removed ${user}`), reloadHint(book.serverFile)]);
  }
  return Promise.resolve(0);
}

/** The password is shown once, or written where only its owner reads it. */
function give({ host, user, password }: Credentials, flags: CredentialsFlags, serverFile: string): void {
  const env = [`KVMGOV_HOST_ID=${host}`, `KVMGOV_NATS_USER=${user}`, `KVMGOV_NATS_PASSWORD=${password}`];
  if (flags.output === undefined) {
    print(flags, { host, user, password }, [
      "# for the host's host.env or .env",
      ...env,
      "",
      reloadHint(serverFile),
    ]);
    return;
  }
  writeFileSync(flags.output, `${env.join("\n")}\n`, { mode: 0o600, flag: "wx" });
  print(flags, { host, user, output: flags.output }, [`wrote ${flags.output}`, reloadHint(serverFile)]);
}

const reloadHint = (file: string): string =>
  `# ${file} is new: include it in nats-server.conf once, then "nats-server --signal reload"`;

function print(flags: CredentialsFlags, value: object, lines: readonly string[]): void {
  process.stdout.write(flags.json === true ? `${JSON.stringify(value)}\n` : `${lines.join("\n")}\n`);
}
