/** One connection to NATS that waits at the start and comes back by itself. */
import { connect } from "@nats-io/transport-node";
import type { NatsConnection, TlsOptions } from "@nats-io/transport-node";
import type { Logger } from "../log.ts";
import type { Readiness } from "../readiness.ts";
import type { NatsTls } from "../tls-files.ts";
import { Silence } from "./silence.ts";

export interface ConnectionOptions {
  /** One or more server addresses, separated by commas. */
  url: string;
  user?: string | undefined;
  password?: string | undefined;
  /** Files in PEM form, which the client reads at each connect. */
  tls?: NatsTls | undefined;
  /** Where answers come to; by default `_INBOX`, all of which a host's own user has no right to. */
  inboxPrefix?: string | undefined;
  /** Name of the client, as the server's monitoring shows it. */
  name: string;
  log: Logger;
  readiness: Readiness;
}

const RECONNECT_WAIT_MS = 500;
/** A server that is frozen, not gone, is noticed after two unanswered pings. */
const PING_INTERVAL_MS = 2000;

/** Nobody is connected just now: what was to be sent was not sent. */
export class BusAwayError extends Error {
  override readonly name = "BusAwayError";
}

export class BusConnection {
  readonly #options: ConnectionOptions;
  readonly #upListeners = new Set<() => void>();
  readonly #connected: Promise<NatsConnection>;
  #connection: NatsConnection | undefined;
  #up = false;
  #closed = false;
  readonly #silence = new Silence(() => performance.now());
  /** A server that we left because it was silent. */
  #left: string | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    options.readiness.set("nats", false, `connecting to ${withoutCredentials(options.url)}`);
    this.#connected = this.#connect();
    this.#connected.catch(() => undefined);
  }

  get up(): boolean {
    return this.#up;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Where answers come to; undefined: the client's default. */
  get inboxPrefix(): string | undefined {
    return this.#options.inboxPrefix;
  }

  /** The connection, once there was one. It may be down: requests then fail by themselves. */
  connected(): Promise<NatsConnection> {
    return this.#connected;
  }

  /** HOST:PORT of the server that is connected, or was last. */
  get server(): string | undefined {
    return this.#connection?.getServer();
  }

  /** @throws {BusAwayError} not connected now */
  current(): NatsConnection {
    if (this.#connection === undefined || !this.#up) throw new BusAwayError("NATS is away");
    return this.#connection;
  }

  /** JetStream answered. */
  answered(): void {
    this.#silence.end();
  }

  /** A request to JetStream failed. Where nobody has answered for long, another server is asked, if there is one. */
  failed(error: unknown): void {
    if (!this.#up || !this.#silence.failed(error) || !this.#options.url.includes(",")) return;
    this.#left = this.server;
    this.#options.log.warn(
      { event: "nats-silent", server: this.server },
      `JetStream has not answered for long on ${this.server}: asking another server`,
    );
    this.#reconnect();
  }

  /** Calls back after each connect and reconnect. Returns the way to stop it. */
  onUp(listener: () => void): () => void {
    this.#upListeners.add(listener);
    if (this.#up) listener();
    return () => this.#upListeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#up = false;
    // Not drained: a drain waits for a server that may be away.
    await this.#connection?.close();
  }

  async #connect(): Promise<NatsConnection> {
    const { url, user, password, tls, inboxPrefix, name, log } = this.#options;
    for (let attempt = 0; ; attempt++) {
      if (this.#closed) throw new BusAwayError("closed before NATS was reached");
      try {
        const connection = await connect({
          servers: url.split(","),
          name,
          ...(user === undefined ? {} : { user }),
          ...(password === undefined ? {} : { pass: password }),
          ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
          ...(tls === undefined ? {} : { tls: definedOnly(tls) }),
          maxReconnectAttempts: -1,
          reconnectTimeWait: RECONNECT_WAIT_MS,
          pingInterval: PING_INTERVAL_MS,
          maxPingOut: 2,
          timeout: 2000,
          // A stack for each request costs more than the request; errors here are named by who catches them.
          noAsyncTraces: true,
        });
        if (this.#closed) {
          await connection.close();
          throw new BusAwayError("closed before NATS was reached");
        }
        this.#connection = connection;
        this.#goUp("connected");
        void this.#follow(connection);
        return connection;
      } catch (error) {
        if (error instanceof BusAwayError) throw error;
        const reason = (error as Error).message;
        this.#options.readiness.set("nats", false, reason);
        if (attempt === 0)
          log.warn({ event: "nats-away", reason }, `NATS is away, waiting for it: ${reason}`);
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_WAIT_MS));
      }
    }
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") this.#goDown("disconnected");
      if (status.type === "reconnect") this.#reconnected();
      if (status.type === "error")
        this.#options.log.warn({ event: "nats-error", err: status.error }, "NATS error");
    }
    this.#goDown("closed");
  }

  #reconnected(): void {
    // The client begins with the first of its servers, which may be the one that was left.
    const isSame = this.#left !== undefined && this.server === this.#left;
    this.#left = undefined;
    if (isSame) this.#reconnect();
    else this.#goUp("reconnected");
  }

  #reconnect(): void {
    this.#connection
      ?.reconnect()
      .catch((error: unknown) =>
        this.#options.log.debug({ event: "reconnect-failed", err: error }, "not connected any more"),
      );
  }

  #goUp(how: string): void {
    this.#silence.end();
    this.#up = true;
    this.#options.readiness.set("nats", true, how);
    this.#options.log.info({ event: "nats-up" }, `NATS ${how}`);
    for (const listener of this.#upListeners) listener();
  }

  #goDown(how: string): void {
    if (this.#up && !this.#closed)
      this.#options.log.warn({ event: "nats-away", reason: how }, `NATS is away: ${how}`);
    this.#up = false;
    this.#options.readiness.set("nats", false, how);
  }
}

/** An address for people: `nats://user:secret@host` is shown as `nats://host`. */
export function withoutCredentials(url: string): string {
  return url.replaceAll(/\/\/[^@/,]*@/g, "//");
}

/** The client tells a key that is there without a value from one that is not. */
function definedOnly({ caFile, certFile, keyFile }: NatsTls): TlsOptions {
  return {
    ...(caFile !== undefined && { caFile }),
    ...(certFile !== undefined && { certFile }),
    ...(keyFile !== undefined && { keyFile }),
  };
}
