/** deploy/nats/nats-server.conf: hosts send their messages and read plans; nobody but the classifier writes one. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { answerSubject, questionSubject } from "@kvm-governor/policy";
import { connectBus, createLogger, Readiness } from "@kvm-governor/service-kit";
import type { Bus, Questions } from "@kvm-governor/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { connect } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { Registry } from "prom-client";
import { readAnswer } from "../../services/classifier/src/facts/messages.ts";
import { PASSWORD, startDeployedNats, type Deployed } from "../support/deployed.ts";
import { waitFor } from "../support/service-process.ts";

let dir: string;
let nats: Deployed;
let control: Bus;
let host: Bus;

function connectAs(user: string, options: { password?: string; manage?: boolean } = {}): Bus {
  return connectBus({
    url: nats.url,
    user,
    password: options.password ?? PASSWORD,
    name: user,
    manage: options.manage ?? false,
    log: createLogger(user, "silent"),
    readiness: new Readiness(),
    registry: new Registry(),
  });
}

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), `kvmgov-nats-${process.pid}-`));
  nats = await startDeployedNats(dir);
  control = connectAs("control", { manage: true });
  host = connectAs("host");
  await waitFor("streams and bucket", 10_000, async () => {
    try {
      return control.up && host.up ? await control.plans.put("h1", { plan: 1 }, 0) : undefined;
    } catch (error) {
      if (/not found|no responders/i.test(String(error))) return undefined;
      throw error;
    }
  });
}, 60_000);

afterAll(async () => {
  await control?.close();
  await host?.close();
  await nats?.server.stop();
  await rm(dir, { recursive: true, force: true });
});

describe("the user of the hosts", () => {
  it("publishes samples, applied reports and host messages", async () => {
    for (const kind of ["sample", "applied", "host"] as const) await host.publish(kind, "h1", { kind });
  });

  it("reads plans, and sees new ones come", async () => {
    const entry = await host.plans.get("h1");
    expect(new TextDecoder().decode(entry?.data)).toBe('{"plan":1}');
    const seen: number[] = [];
    const stop = new AbortController();
    const watching = host.plans.watch(
      "h1",
      stop.signal,
      (plan) => seen.push(plan.revision),
      (error) => {
        throw error;
      },
    );
    await waitFor("the present plan", 5000, () => seen[0]);
    const revision = await control.plans.put("h1", { plan: 2 }, seen[0] ?? 0);
    await waitFor("the new plan", 5000, () => (seen.includes(revision) ? true : undefined));
    stop.abort();
    await watching;
  });

  it("cannot write a plan, neither as a new key nor over one", async () => {
    await expect(host.plans.put("h2", { evil: true }, 0)).rejects.toThrow(/permissions violation/i);
    const revision = (await control.plans.get("h1"))?.revision ?? 0;
    await expect(host.plans.put("h1", { evil: true }, revision)).rejects.toThrow(/permissions violation/i);
    expect((await control.plans.get("h1"))?.revision).toBe(revision);
    expect(await control.plans.get("h2")).toBeUndefined();
  });

  it("cannot read other hosts' samples", async () => {
    const stop = new AbortController();
    let received = 0;
    const consuming = host.consume("sample", "spy", stop.signal, () => void received++);
    await control.publish("sample", "h1", { secret: true });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    stop.abort();
    await consuming;
    expect(received).toBe(0);
  });
});

describe("questions among classifiers, with the user of the hosts beside them", () => {
  const heard: string[] = [];
  const members: Questions[] = [];
  let unasked = 0;
  let hostile: NatsConnection;
  const violations: string[] = [];

  function join(bus: Bus, self: string): Questions {
    const questions = bus.questions({
      self,
      asked: ({ kind, data, answer }) => {
        heard.push(`${kind} ${new TextDecoder().decode(data)}`);
        answer(new TextEncoder().encode(`answer of ${self}`));
      },
      unasked: () => void unasked++,
    });
    members.push(questions);
    return questions;
  }

  async function ask(questions: Questions, ms = 500): Promise<string[]> {
    const pieces: string[] = [];
    const end = questions.ask("host", new TextEncoder().encode("?"), (piece) =>
      pieces.push(new TextDecoder().decode(piece)),
    );
    await sleep(ms);
    end();
    return pieces;
  }

  beforeAll(async () => {
    hostile = await connect({ servers: nats.url, user: "host", pass: PASSWORD, reconnect: false });
    void (async () => {
      for await (const status of hostile.status())
        if (status.type === "error") violations.push(status.error.message);
    })();
  });
  afterAll(async () => {
    for (const questions of members) questions.stop();
    await hostile?.close();
  });

  it("are answered by the others, and a host hears neither question nor answer", async () => {
    const [one] = [join(control, "one"), join(control, "two"), join(control, "three")];
    const wanted = [questionSubject("*"), questionSubject(">"), answerSubject("*", "*"), "kvmgov.>"];
    const spied: string[] = [];
    for (const subject of ["_INBOX.>", ...wanted])
      hostile.subscribe(subject, { callback: (_error, message) => void spied.push(message?.subject) });
    await hostile.flush();
    if (one === undefined) throw new Error("nobody asks");
    expect((await ask(one)).sort()).toEqual(["answer of three", "answer of two"]);
    expect(heard).toEqual(["host ?", "host ?"]);
    expect(spied.filter((subject) => subject !== undefined)).toEqual([]);
    for (const subject of wanted) expect(violations.join()).toContain(`"${subject}"`);
  });

  it("cannot be asked or answered by a host", async () => {
    heard.splice(0);
    violations.splice(0);
    for (const subject of [questionSubject("host"), answerSubject("one", "x")]) {
      hostile.publish(subject, "forged", { reply: answerSubject("one", "x") });
      await waitFor(`the refusal of ${subject}`, 5000, () =>
        violations.some((text) => text.includes(`"${subject}"`)) ? true : undefined,
      );
    }
    expect(heard).toEqual([]);
    expect(unasked).toBe(0);
  });

  it("get nothing but JSON that the server itself made, whatever a host asks the server for", async () => {
    const taken: string[] = [];
    const watch = await connect({ servers: nats.url, user: "control", pass: PASSWORD, reconnect: false });
    for (const subject of [questionSubject("*"), answerSubject("*", "*")])
      watch.subscribe(subject, { callback: (_error, message) => void taken.push(message.string()) });
    await watch.flush();
    try {
      // The acknowledgement of a stream goes to the reply of the message, whatever that is.
      hostile.publish("kvmgov.v1.sample.h1.1", "{}", { reply: answerSubject("one", "x") });
      hostile.publish("kvmgov.v1.sample.h1.1", "{}", { reply: questionSubject("host") });
      // A consumer of the plans may be made to deliver anywhere.
      for (const deliver_subject of [answerSubject("one", "x"), questionSubject("host")]) {
        const config = {
          deliver_subject,
          deliver_policy: "all",
          ack_policy: "none",
          filter_subject: "$KV.plans.h1",
        };
        hostile.publish(
          "$JS.API.CONSUMER.CREATE.KV_plans",
          JSON.stringify({ stream_name: "KV_plans", config }),
        );
        hostile.publish(
          "$JS.API.CONSUMER.CREATE.KV_plans.x.$KV.plans.h1",
          JSON.stringify({ stream_name: "KV_plans", config: { ...config, name: "x" } }),
        );
      }
      await hostile.flush();
      await sleep(1000);
      // No byte of it is a host's own: it begins as JSON does, and so is never gzip, as questions and answers are.
      console.info(`the server delivered ${taken.length}: ${taken.join(" | ").slice(0, 300)}`);
      expect(taken.length).toBeGreaterThan(0);
      for (const text of taken) expect(text).toMatch(/^\{/);
      const piece = new TextEncoder().encode(taken[0]);
      await expect(readAnswer("host", piece)).rejects.toMatchObject({ reason: "not-gzip" });
      // Without a place to answer to it is no question at all.
      expect(heard).toEqual([]);
    } finally {
      await watch.close();
    }
  });
});

it("refuses a wrong password", async () => {
  const stranger = connectAs("control", { password: "wrong" });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(stranger.up).toBe(false);
  await stranger.close();
});
