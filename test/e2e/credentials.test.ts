/** Users that "kvmgov credentials" makes, on a real nats-server: each host does its own work, and nothing to another. */
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { connect, headers } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { ensureTools, Server } from "@kvm-governor/lab";
import { answerSubject, inboxPrefixOf, questionSubject, subjects } from "@kvm-governor/policy";
import { connectBus, createLogger, Readiness } from "@kvm-governor/service-kit";
import type { Bus } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { PASSWORD, readDeployed, replaceOnce } from "../support/deployed.ts";
import { runKvmgovWith } from "../support/kvmgov-process.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";

jest.setTimeout(60_000);

interface Login {
  user: string;
  pass: string;
}

let dir: string;
let nats: Server;
const buses: Bus[] = [];
const raw: NatsConnection[] = [];

const kvmgov = (...args: string[]) =>
  runKvmgovWith(["credentials", ...args, "--dir", path.join(dir, "users")], {});

async function add(action: string, host: string): Promise<Login> {
  const { code, stdout, output } = await kvmgov(action, host, "--json");
  if (code !== 0) throw new Error(output);
  const { user, password } = JSON.parse(stdout) as { user: string; password: string };
  return { user, pass: password };
}

/** The file of deploy/ with the block of users replaced, as the operations guide says. */
async function startServer(): Promise<Server> {
  const tools = await ensureTools(["servers"]);
  const program = tools.find("nats-server");
  const deployed = await readDeployed("deploy/nats/nats-server.conf");
  const at = deployed.indexOf("authorization {");
  const text = `${deployed.slice(0, at)}include "users/authorization.conf"\n`;
  return Server.start({
    name: "nats-server",
    program: { ...program, env: { ...program.env, NATS_CONTROL_PASSWORD: `"${PASSWORD}"` } },
    logFile: path.join(dir, "nats.log"),
    args: async (port) => {
      const listening = replaceOnce(text, `"0.0.0.0:4222"`, `"127.0.0.1:${port}"`);
      const unmonitored = replaceOnce(listening, `"127.0.0.1:8222"`, `"127.0.0.1:-1"`);
      const stored = replaceOnce(unmonitored, "/data", JSON.stringify(path.join(dir, "jetstream")));
      await writeFile(path.join(dir, "nats.conf"), stored);
      return ["-c", path.join(dir, "nats.conf")];
    },
    probe: async (port) => (await readFile(path.join(dir, "nats.log"), "utf8")).includes(`:${port}`),
  });
}

function busOf(login: Login, host?: string): Bus {
  const bus = connectBus({
    url: `nats://127.0.0.1:${nats.port}`,
    user: login.user,
    password: login.pass,
    ...(host === undefined ? { manage: true } : { inboxPrefix: inboxPrefixOf(host) }),
    name: login.user,
    log: createLogger("test", "silent"),
    readiness: new Readiness(),
    registry: new Registry(),
  });
  buses.push(bus);
  return bus;
}

async function rawAs(login: Login, host: string): Promise<NatsConnection> {
  const connection = await connect({
    servers: `127.0.0.1:${nats.port}`,
    ...login,
    inboxPrefix: inboxPrefixOf(host),
    reconnect: false,
    timeout: 2000,
  });
  raw.push(connection);
  return connection;
}

const reload = async (): Promise<void> => {
  process.kill(nats.pid, "SIGHUP");
  await sleep(500);
};

describeWith(["servers"], "credentials of hosts", () => {
  let control: Bus;
  let first: Login;
  let second: Login;
  let own: Bus;

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "kvmgov-credentials-"));
    first = await add("add", "h1");
    second = await add("add", "h2");
    nats = await startServer();
    control = busOf({ user: "control", pass: PASSWORD });
    own = busOf(first, "h1");
    await waitFor("the bucket", 20_000, () =>
      control.plans.put("h1", { plan: 1 }, 0).then(
        () => true,
        () => undefined,
      ),
    );
    await control.plans.put("h2", { plan: "of h2" }, 0);
  }, 60_000);

  afterAll(async () => {
    for (const bus of buses) await bus.close();
    for (const connection of raw) await connection.close();
    await nats?.stop();
    await rm(dir, { recursive: true });
  });

  it("let a host send its own messages, read its plan and see the next one come", async () => {
    for (const kind of ["sample", "applied", "host"] as const) await own.publish(kind, "h1", { kind });
    const seen: string[] = [];
    const stop = new AbortController();
    const watching = own.plans.watch(
      "h1",
      stop.signal,
      ({ data }) => void seen.push(Buffer.from(data).toString()),
      (error) => {
        throw error;
      },
    );
    await waitFor("the plan", 10_000, () => seen.includes('{"plan":1}') || undefined);
    await control.plans.put("h1", { plan: 2 }, (await control.plans.get("h1"))?.revision ?? 0);
    await waitFor("the next plan", 10_000, () => seen.includes('{"plan":2}') || undefined);
    stop.abort();
    await watching;
  });

  describe("in a hostile host's hands", () => {
    it("cannot send in another's name", async () => {
      for (const kind of ["sample", "applied", "host"] as const) {
        await expect(own.publish(kind, "h2", { kind })).rejects.toThrow(/permissions violation/i);
      }
    });

    it("cannot ask classifiers, nor answer in their place", async () => {
      const spy = await rawAs(first, "h1");
      for (const subject of [questionSubject("host"), questionSubject("fleet"), answerSubject("a1", "x")]) {
        await expect(spy.request(subject, "{}", { timeout: 1500 })).rejects.toThrow(/permissions violation/i);
      }
    });

    it("cannot read another's plan, by any way", async () => {
      const spy = await rawAs(first, "h1");
      const ask = (subject: string, body: object | "" = ""): Promise<unknown> =>
        spy.request(subject, body === "" ? "" : JSON.stringify(body), { timeout: 1500 });
      await expect(own.plans.get("h2")).rejects.toThrow(/permissions violation/i);
      await expect(ask("$JS.API.DIRECT.GET.KV_plans.$KV.plans.h2")).rejects.toThrow(/permissions violation/i);
      await expect(ask("$JS.API.DIRECT.GET.KV_plans", { last_by_subj: "$KV.plans.h2" })).rejects.toThrow(
        /permissions violation/i,
      );
      await expect(ask("$JS.API.STREAM.MSG.GET.KV_plans", { last_by_subj: "$KV.plans.h2" })).rejects.toThrow(
        /permissions violation/i,
      );
      const consumer = {
        stream_name: "KV_plans",
        config: { filter_subject: "$KV.plans.h2", deliver_policy: "all", ack_policy: "none" },
      };
      for (const subject of [
        "$JS.API.CONSUMER.CREATE.KV_plans",
        "$JS.API.CONSUMER.CREATE.KV_plans.spy.$KV.plans.h2",
        "$JS.API.CONSUMER.DURABLE.CREATE.KV_plans.spy",
      ]) {
        await expect(ask(subject, consumer)).rejects.toThrow(/permissions violation/i);
      }
      // Allowed by its subject: the server holds the filter in the body against it.
      const smuggled = (await ask("$JS.API.CONSUMER.CREATE.KV_plans.spy.$KV.plans.h1", {
        ...consumer,
        config: { ...consumer.config, name: "spy" },
      })) as { json(): { error?: { description: string } } };
      expect(smuggled.json().error?.description).toMatch(/filter/i);
    });

    it("cannot write a plan, nor wipe the bucket by a header", async () => {
      const spy = await rawAs(first, "h1");
      const rollup = headers();
      rollup.set("Nats-Rollup", "all");
      const before = (await control.plans.get("h1"))?.revision;
      await expect(spy.request("$KV.plans.h1", "{}", { timeout: 1500 })).rejects.toThrow(
        /permissions violation/i,
      );
      await expect(spy.request("$KV.plans.h1", "{}", { timeout: 1500, headers: rollup })).rejects.toThrow(
        /permissions violation/i,
      );
      for (const subject of [
        "$JS.API.STREAM.PURGE.KV_plans",
        "$JS.API.STREAM.DELETE.KV_plans",
        "$JS.API.STREAM.UPDATE.KV_plans",
      ]) {
        await expect(spy.request(subject, "{}", { timeout: 1500 })).rejects.toThrow(/permissions violation/i);
      }
      expect((await control.plans.get("h1"))?.revision).toBe(before);
      expect((await control.plans.get("h2"))?.revision).toBeDefined();
    });

    it("hears nothing but its own answers", async () => {
      const spy = await rawAs(first, "h1");
      const refused: string[] = [];
      void (async () => {
        for await (const status of spy.status())
          if (status.type === "error") refused.push(status.error.message);
      })();
      const wanted = [
        "_INBOX.>",
        `${inboxPrefixOf("h2")}.>`,
        "kvmgov.>",
        questionSubject("*"),
        answerSubject("*", "*"),
        subjects.sample("h2"),
        "$KV.>",
        ">",
      ];
      const heard: string[] = [];
      for (const subject of wanted) {
        spy.subscribe(subject, { callback: (_error, message) => void heard.push(message?.subject) });
      }
      await spy.flush();
      const other = busOf(second, "h2");
      await waitFor("h2", 10_000, () => other.up || undefined);
      await other.publish("sample", "h2", { secret: true });
      const plans: string[] = [];
      const stop = new AbortController();
      const watching = other.plans.watch(
        "h2",
        stop.signal,
        ({ data }) => void plans.push(Buffer.from(data).toString()),
        () => undefined,
      );
      await waitFor("the plan of h2", 10_000, () => plans[0]);
      stop.abort();
      await watching;
      await sleep(500);
      expect(heard).toEqual([]);
      expect(refused.length).toBeGreaterThanOrEqual(wanted.length);
    });
  });

  it("turn away who has none, or an old or a wrong one", async () => {
    const address = { servers: `127.0.0.1:${nats.port}`, reconnect: false, timeout: 2000 };
    await expect(connect(address)).rejects.toThrow(/authorization/i);
    await expect(connect({ ...address, user: first.user, pass: "wrong" })).rejects.toThrow(/authorization/i);
    await expect(connect({ ...address, user: "h1", pass: first.pass })).rejects.toThrow(/authorization/i);
  });

  it("are rotated without a gap, and the old one ends", async () => {
    const fresh = await add("rotate", "h1");
    await reload();
    const next = busOf(fresh, "h1");
    await waitFor("the new user", 10_000, () => next.up || undefined);
    await Promise.all([
      own.publish("sample", "h1", { old: true }),
      next.publish("sample", "h1", { old: false }),
    ]);
    expect(JSON.parse((await kvmgov("retire", "h1", "--json")).stdout)).toEqual({ removed: [first.user] });
    await reload();
    await waitFor("the old user's end", 10_000, () => (own.up ? undefined : true));
    await next.publish("sample", "h1", { still: true });
  });

  it("keep no password, and only their owner reads them", async () => {
    for (const file of ["hosts.json", "authorization.conf"]) {
      const name = path.join(dir, "users", file);
      expect((await stat(name)).mode & 0o777).toBe(0o600);
      expect(await readFile(name, "utf8")).not.toContain(second.pass);
    }
    const envFile = path.join(dir, "h3.env");
    expect((await kvmgov("add", "h3", "--output", envFile)).output).not.toMatch(/PASSWORD=/);
    expect(await readFile(envFile, "utf8")).toMatch(
      /^KVMGOV_HOST_ID=h3\nKVMGOV_NATS_USER=h3\.1\nKVMGOV_NATS_PASSWORD=\S{32}\n$/,
    );
    expect((await stat(envFile)).mode & 0o777).toBe(0o600);
  });
});
