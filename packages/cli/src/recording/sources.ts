/** Where a recorder gets samples from: a bus that is there, or a collector of its own on this host. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { hostSchema, parseContract, sampleSchema } from "@kvm-governor/policy";
import type { Host, Sample } from "@kvm-governor/policy";
import {
  LAST_OF_EACH_HOST,
  Readiness,
  connectBus,
  createLogger,
  withoutCredentials,
} from "@kvm-governor/service-kit";
import type { BusMessage } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import type { NatsLogin } from "../nats-login.ts";
import { ensureTools } from "../../../../scripts/lib/toolbox.js";
import { startNats } from "../supervisor/servers.ts";
import { startService } from "../supervisor/services.ts";

export interface Listener {
  sample: (sample: Sample) => void;
  host: (host: Host) => void;
  /** A message that is not what its contract says, or a source that ended by itself. */
  problem: (text: string) => void;
}

export interface SampleSource {
  /** Names it for people. */
  name: string;
  close(): Promise<void>;
}

const STOP_GRACE_MS = 5000;

/** Listens on a bus, from a place of its own: nobody else gets less for it. */
export function busSource(
  access: NatsLogin,
  listener: Listener,
  { manage = false }: { manage?: boolean } = {},
): SampleSource {
  const log = createLogger("record", "silent");
  const readiness = new Readiness();
  const bus = connectBus({
    ...access,
    name: "kvmgov record",
    manage,
    log,
    readiness,
    registry: new Registry(),
  });
  const done = new AbortController();
  const take =
    <T>(read: (message: BusMessage) => T, use: (value: T) => void) =>
    (message: BusMessage): void => {
      message.ack();
      try {
        use(read(message));
      } catch (error) {
        listener.problem((error as Error).message);
      }
    };
  const sampleOf = ({ data, subject }: BusMessage): Sample =>
    parseContract(sampleSchema, data, `sample on ${subject}`);
  const hostOf = ({ data, subject }: BusMessage): Host =>
    parseContract(hostSchema, data, `host on ${subject}`);
  const consuming = [
    bus.consume("host", LAST_OF_EACH_HOST, done.signal, take(hostOf, listener.host)),
    bus.consume("sample", LAST_OF_EACH_HOST, done.signal, take(sampleOf, listener.sample)),
  ];
  return {
    name: withoutCredentials(access.url),
    close: async () => {
      done.abort();
      await bus.close();
      await Promise.all(consuming);
    },
  };
}

export interface OwnCollectorOptions {
  hostId: string;
  checkPeriodMs: number;
  policyFile: string | undefined;
  say: (line: string) => void;
}

/**
 * Starts a NATS server on loopback and a collector for it, and listens to them. They only read the host; a governor that
 * runs beside them is not disturbed.
 */
export async function ownCollector(
  { hostId, checkPeriodMs, policyFile, say }: OwnCollectorOptions,
  listener: Listener,
): Promise<SampleSource> {
  const tools = await ensureTools(["servers"], { log: say });
  const dir = mkdtempSync(path.join(tmpdir(), "kvmgov-record-"));
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closers.toReversed()) await each();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const nats = await startNats(tools, dir);
    closers.push(() => nats.stop());
    const source = busSource(nats.access, listener, { manage: true });
    closers.push(() => source.close());
    const common = {
      HOST_ID: hostId,
      CHECK_PERIOD_MS: String(checkPeriodMs),
      POLICY_FILE: policyFile,
      RUN_DIR: path.join(dir, "run"),
      STATE_DIR: path.join(dir, "state"),
      LOG_LEVEL: "warn",
    };
    const settings = {
      bus: nats.access,
      store: { url: "" },
      compileCacheDir: path.join(dir, "cache"),
      common,
    };
    const collector = startService("collector", settings, "127.0.0.1:0");
    collector.onLine((line) => listener.problem(`collector: ${line}`));
    collector.onErrorLine((line) => listener.problem(`collector: ${line}`));
    let closing = false;
    void collector.exited.then(({ code, signal }) => {
      if (!closing) listener.problem(`the collector ended (${signal ?? `exit code ${code}`})`);
    });
    closers.push(() => {
      closing = true;
      return collector.stop(STOP_GRACE_MS);
    });
  } catch (error) {
    await close();
    throw error;
  }
  return { name: "a collector of its own", close };
}
