/** The bus on a real nats-server: waiting, losing it, coming back, conflicts. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { startNats } from "@kvm-governor/lab";
import {
  BusAwayError,
  LAST_OF_EACH_HOST,
  PlanConflictError,
  Readiness,
  connectBus,
  createLogger,
  streamSettingsSchema,
} from "@kvm-governor/service-kit";
import type { Bus, BusMessage, StreamSettings } from "@kvm-governor/service-kit";
import { StorageType, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";
import { Registry } from "prom-client";

type Nats = Awaited<ReturnType<typeof startNats>>;

// A frozen server is noticed by unanswered pings, seconds later.
jest.setTimeout(60_000);

const log = createLogger("test", "silent");
const text = (data: Uint8Array): string => new TextDecoder().decode(data);
let dir: string;
let nats: Nats;
const open: Bus[] = [];
const stop = new AbortController();

interface Side {
  bus: Bus;
  readiness: Readiness;
}

interface SideOptions {
  manage?: boolean;
  url?: string;
  password?: string;
  streams?: StreamSettings;
}

function side(name: string, options: SideOptions = {}): Side {
  const readiness = new Readiness();
  const { url = nats.url, password = nats.password, manage = false, streams } = options;
  const bus = connectBus({
    url,
    user: nats.user,
    password,
    name,
    manage,
    ...(streams !== undefined && { streams }),
    log,
    readiness,
    registry: new Registry(),
  });
  open.push(bus);
  return { bus, readiness };
}

async function until(what: string, isSo: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`did not happen in ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Publishes until the stream takes it: it may not be there yet after a restart. */
async function published(
  bus: Bus,
  host: string,
  value: unknown,
  kind: "sample" | "host" = "sample",
): Promise<void> {
  await until("published", () =>
    bus.publish(kind, host, value).then(
      () => true,
      () => false,
    ),
  );
}

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "kvmgov-bus-"));
  nats = await startNats({ dir });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.close()));
});
afterAll(async () => {
  stop.abort();
  await nats.server.stop();
  await rm(dir, { recursive: true, force: true });
});

describe("bus", () => {
  it("hands over messages in order and again after nak, and never again after term", async () => {
    const { bus } = side("classifier", { manage: true });
    const seen: string[] = [];
    const handle = (message: BusMessage): void => {
      const body = text(message.data);
      seen.push(`${message.host} ${body}${message.redelivered ? " again" : ""}`);
      if (body === "1" && !message.redelivered) message.nak(10);
      else if (body === "2") message.term("planted");
      else message.ack();
    };
    const done = new AbortController();
    void bus.consume("sample", "order", done.signal, handle);
    for (const value of [0, 1, 2, 3]) await published(bus, "h1", value);
    await until("redelivered", () => seen.includes("h1 1 again"));
    done.abort();
    expect(seen).toEqual(["h1 0", "h1 1", "h1 2", "h1 3", "h1 1 again"]);
  });

  it("tells everybody the last word of each host, also who comes late", async () => {
    const { bus } = side("classifier", { manage: true });
    const send = (host: string, value: string): Promise<void> =>
      until("published", () =>
        bus.publish("host", host, value).then(
          () => true,
          () => false,
        ),
      );
    await send("h1", "old");
    await send("h1", "new");
    await send("h2", "only");
    const done = new AbortController();
    const heard = [[], []] as string[][];
    for (const words of heard) {
      void bus.consume("host", LAST_OF_EACH_HOST, done.signal, (message) => {
        words.push(`${message.host} ${text(message.data)}`);
        message.ack();
      });
    }
    await until("both know both", () => heard.every((words) => words.length === 2));
    await send("h1", "later");
    await until("both hear more", () => heard.every((words) => words.length === 3));
    done.abort();
    const words = ['h1 "new"', 'h2 "only"', 'h1 "later"'];
    expect(heard).toEqual([words, words]);
  });

  it("guards a plan by its revision", async () => {
    const { bus } = side("classifier", { manage: true });
    await until("bucket", () =>
      bus.plans.get("h1").then(
        (plan) => plan === undefined,
        () => false,
      ),
    );
    const first = await bus.plans.put("h1", { generation: 1 }, 0);
    await expect(bus.plans.put("h1", { generation: 1 }, 0)).rejects.toThrow(PlanConflictError);
    const second = await bus.plans.put("h1", { generation: 2 }, first);
    await expect(bus.plans.put("h1", { generation: 3 }, first)).rejects.toThrow(PlanConflictError);
    const stored = await bus.plans.get("h1");
    expect(stored?.revision).toBe(second);
    expect(text(stored?.data ?? new Uint8Array())).toBe('{"generation":2}');
  });

  it("refuses wrong credentials, says so, and does not crash", async () => {
    const { bus, readiness } = side("stranger", { password: "wrong" });
    await until("refused", () => /authori[sz]ation/i.test(readiness.parts()["nats"]?.detail ?? ""));
    await expect(bus.publish("sample", "h1", {})).rejects.toThrow(BusAwayError);
  });

  it("brings streams and bucket up to date as they are configured, with what is in them", async () => {
    const admin = await connect({ servers: nats.url, user: nats.user, pass: nats.password });
    const manager = await jetstreamManager(admin);
    // As version 0.1 made them.
    for (const name of await manager.streams.names().next()) await manager.streams.delete(name);
    await manager.streams.add({
      name: "KVMGOV_SAMPLE",
      subjects: ["kvmgov.v1.sample.*"],
      storage: StorageType.Memory,
      max_age: 60e9,
      max_msgs_per_subject: 64,
      max_bytes: 16 * 1024 * 1024,
    });
    await new Kvm(jetstream(admin)).create("plans", { history: 1, storage: StorageType.File });
    await jetstream(admin).publish("kvmgov.v1.sample.h1", '"from a host of version 0.1"');
    await (await new Kvm(jetstream(admin)).open("plans")).put("h1", '{"generation":5}');

    const settings = streamSettingsSchema.parse({ sampleAgeMs: 30_000, streamBytesMax: 8 * 1024 * 1024 });
    const { bus, readiness } = side("classifier", { manage: true, streams: settings });
    await until("managed", () => readiness.parts()["streams"]?.ok === true);
    await published(bus, "h2", "with a partition");
    const { config, state } = await manager.streams.info("KVMGOV_SAMPLE");
    expect(config).toMatchObject({
      subjects: ["kvmgov.v1.sample.>"],
      max_age: 30e9,
      max_bytes: 8 * 1024 * 1024,
      num_replicas: 1,
    });
    expect(state.messages).toBe(2);
    expect((await manager.streams.info("KVMGOV_REFUSED")).config.max_msgs_per_subject).toBe(8);
    expect(text((await bus.plans.get("h1"))?.data ?? new Uint8Array())).toBe('{"generation":5}');

    // What cannot be done in place is said, with the way out, and is not done.
    await manager.streams.delete("KVMGOV_APPLIED");
    await manager.streams.add({
      name: "KVMGOV_APPLIED",
      subjects: ["kvmgov.v1.applied.>"],
      storage: StorageType.File,
    });
    const { readiness: other } = side("another classifier", { manage: true, streams: settings });
    const detail = (): string => other.parts()["streams"]?.detail ?? "";
    await until("refused", () => /KVMGOV_APPLIED cannot be changed in place \(storage/.test(detail()));
    expect(detail()).toMatch(/nats stream rm KVMGOV_APPLIED/);
    expect((await manager.streams.info("KVMGOV_APPLIED")).config.storage).toBe("file");
    await manager.streams.delete("KVMGOV_APPLIED");
    await until("made anew", () => other.parts()["streams"]?.ok === true);
    await admin.close();
  });

  it("comes back after the server was killed, frozen and started again", async () => {
    const manager = side("classifier", { manage: true });
    const host = side("collector");
    const samples: string[] = [];
    const plans: string[] = [];
    const done = new AbortController();
    void manager.bus.consume("sample", "back", done.signal, (message) => {
      samples.push(text(message.data));
      message.ack();
    });
    const watching = host.bus.plans.watch(
      "h2",
      done.signal,
      (plan) => plans.push(text(plan.data)),
      () => undefined,
    );
    await until("up", () => manager.readiness.ready && host.readiness.ready);
    await published(host.bus, "h2", "before");
    await until("bucket", () =>
      manager.bus.plans.put("h2", 1, 0).then(
        () => true,
        () => false,
      ),
    );
    await until("both", () => samples.includes('"before"') && plans.includes("1"));

    await nats.server.kill();
    await until("noticed", () => !host.readiness.ready && !manager.readiness.ready);
    await expect(host.bus.publish("sample", "h2", "lost")).rejects.toThrow(BusAwayError);
    await nats.server.restart();
    await until("back", () => host.readiness.ready && manager.readiness.ready);
    await published(host.bus, "h2", "after kill");
    await until("sample after kill", () => samples.includes('"after kill"'));

    nats.server.pause();
    await until("freeze noticed", () => !host.readiness.ready);
    nats.server.resume();
    await until("back", () => host.readiness.ready && manager.readiness.ready);
    await published(host.bus, "h2", "after freeze");
    await until("sample after freeze", () => samples.includes('"after freeze"'));
    const { revision } = (await manager.bus.plans.get("h2")) ?? { revision: -1 };
    await manager.bus.plans.put("h2", 2, revision);
    await until("plan after all", () => plans.at(-1) === "2");
    done.abort();
    await watching;
  });

  it("waits for a server that is not there yet", async () => {
    await nats.server.kill();
    const { bus, readiness } = side("early", { manage: true });
    await until("says what it waits for", () => /refused/i.test(readiness.parts()["nats"]?.detail ?? ""));
    await nats.server.restart();
    await until("ready", () => readiness.ready);
    await published(bus, "h3", "hello");
  });
});
