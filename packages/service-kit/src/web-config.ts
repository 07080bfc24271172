/**
 * TLS and basic auth of a service's pages, from a file in the form of Prometheus' exporter-toolkit (web-configuration.md
 * there). Of its keys these are known: others are refused, so that nobody believes to be protected who is not.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { ServerOptions } from "node:https";
import { compare } from "bcryptjs";
import { z } from "zod";
import { loadConfig } from "./config.ts";

const file = z.string().min(1);
const webConfigSchema = z.object({
  tls_server_config: z
    .strictObject({
      /** PEM; relative names are beside the configuration file. */
      cert_file: file,
      key_file: file,
      client_ca_file: file.optional(),
      client_auth_type: z.enum(["NoClientCert", "RequireAndVerifyClientCert"]).default("NoClientCert"),
      min_version: z.enum(["TLS12", "TLS13"]).default("TLS12"),
    })
    .refine(
      (tls) => tls.client_auth_type === "NoClientCert" || tls.client_ca_file !== undefined,
      "RequireAndVerifyClientCert needs client_ca_file",
    )
    .optional(),
  /** User to bcrypt hash. */
  basic_auth_users: z
    .record(z.string().min(1), z.string().regex(/^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/, "not a bcrypt hash"))
    .default({}),
});

export interface WebConfig {
  /** Undefined: plain HTTP. */
  tls: ServerOptions | undefined;
  /** Undefined: nobody has to say who they are. */
  users: BasicAuth | undefined;
}

/** @throws {ConfigError} unreadable file, bad YAML, unknown key, wrong value; {Error} a certificate that cannot be read */
export function readWebConfig(name: string): WebConfig {
  const { tls_server_config: tls, basic_auth_users } = loadConfig(webConfigSchema, { env: {}, file: name });
  const read = (each: string): Buffer => readFileSync(path.resolve(path.dirname(name), each));
  return {
    tls: tls && {
      cert: read(tls.cert_file),
      key: read(tls.key_file),
      minVersion: tls.min_version === "TLS13" ? "TLSv1.3" : "TLSv1.2",
      ...(tls.client_ca_file !== undefined && { ca: read(tls.client_ca_file) }),
      requestCert: tls.client_auth_type === "RequireAndVerifyClientCert",
      rejectUnauthorized: tls.client_auth_type === "RequireAndVerifyClientCert",
    },
    users: Object.keys(basic_auth_users).length === 0 ? undefined : new BasicAuth(basic_auth_users),
  };
}

const ANSWERS_MAX = 1000;
/** Of no password: an unknown user takes as long as a wrong password. */
const NOBODY = `$2b$10$${".".repeat(53)}`;

/** Basic auth against bcrypt hashes. One comparison is about 70 ms, so answers are kept, and only one is made at a time. */
export class BasicAuth {
  readonly #hashes: ReadonlyMap<string, string>;
  readonly #answers = new Map<string, Promise<boolean>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(users: Readonly<Record<string, string>>) {
    this.#hashes = new Map(Object.entries(users));
  }

  /** Comparisons in memory: what was asked before costs nothing. */
  get answersKept(): number {
    return this.#answers.size;
  }

  /** @param header value of `Authorization`, if there was one */
  isAllowed(header: string | undefined): Promise<boolean> {
    const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(header ?? "")?.[1];
    if (encoded === undefined) return Promise.resolve(false);
    const credentials = Buffer.from(encoded, "base64").toString();
    // Not the password itself: it would stay in memory.
    const key = createHash("sha256").update(credentials).digest("hex");
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      answer = this.#last.then(() => this.#compare(credentials));
      this.#last = answer.catch(() => undefined);
    }
    // The one that was used longest ago goes first: guesses do not push out who comes every few seconds.
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    const oldest = this.#answers.keys().next().value;
    if (this.#answers.size > ANSWERS_MAX && oldest !== undefined) this.#answers.delete(oldest);
    return answer;
  }

  async #compare(credentials: string): Promise<boolean> {
    const colon = credentials.indexOf(":");
    const hash = this.#hashes.get(credentials.slice(0, Math.max(colon, 0)));
    const isRight = await compare(credentials.slice(colon + 1), hash ?? NOBODY);
    return isRight && hash !== undefined;
  }
}
