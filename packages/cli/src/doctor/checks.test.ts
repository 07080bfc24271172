import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "@jest/globals";
import {
  cgroupChecks,
  clockCheck,
  filesCheck,
  hostIdCheck,
  kvmCheck,
  libvirtCheck,
  perfCheck,
  rootCheck,
} from "./kernel-checks.ts";
import { natsChecks, natsFindings } from "./nats-checks.ts";
import { hostConflicts, redisChecks, redisFindings } from "./server-checks.ts";

const REDIS = { host: "h", port: 6379, tls: false };
const failing = (code: string) => (): never => {
  throw Object.assign(new Error(code), { code });
};
const mount = (readOnly: boolean, controllers: string[]) =>
  new Map(
    controllers.map((name) => [
      name,
      { version: 2 as const, mountPoint: "/sys/fs/cgroup", root: "/", controllers, readOnly },
    ]),
  );

describe("ids of the fleet's hosts", () => {
  it("are named where two machines use one, with the names of both", () => {
    const conflict = { names: ["node-7", "node-7-copy"], kept: "a", refused: "b" };
    const hosts = [{ id: "h1", idConflict: conflict }, { id: "h2", idConflict: null }, { id: "h3" }];
    expect(hostConflicts(hosts)).toMatchObject([
      {
        status: "fail",
        reason: "h1 is used by two machines (node-7, node-7-copy): one of them is refused",
        remedy: expect.stringContaining("/etc/machine-id"),
      },
    ]);
  });
});

describe("the host's id", () => {
  it("is the configured one, else the machine's, else one to be set", () => {
    expect(hostIdCheck("node-7", failing("ENOENT"))).toMatchObject({
      status: "ok",
      reason: expect.stringContaining("node-7"),
    });
    expect(hostIdCheck("", () => "0123abc")).toMatchObject({ status: "ok", reason: "0123abc" });
    expect(hostIdCheck(undefined, failing("ENOENT"))).toMatchObject({
      status: "warn",
      remedy: expect.stringContaining("KVMGOV_HOST_ID"),
    });
  });
});

describe("what the kernel offers", () => {
  it("warns, and says what to do, where something is missing", () => {
    const checks = [
      rootCheck(1000),
      kvmCheck(Object.assign(new Error("no"), { code: "ENOENT" })),
      perfCheck("EACCES"),
      filesCheck(256),
      clockCheck(() => "hpet"),
      clockCheck(failing("ENOENT")),
      libvirtCheck("/run/libvirt/qemu", failing("ENOENT")),
      ...cgroupChecks(mount(true, ["cpu"])),
    ];
    expect(checks.map(({ status }) => status)).toEqual(checks.map(() => "warn"));
    expect(checks.every(({ remedy }) => remedy !== undefined)).toBe(true);
  });

  it("fails where nothing would work", () => {
    expect(cgroupChecks(new Map())).toMatchObject([
      { status: "fail", remedy: expect.stringContaining("cgroup2") },
    ]);
    expect(libvirtCheck("/run/libvirt/qemu", failing("EACCES"))).toMatchObject({ status: "fail" });
  });

  it("is content where all is there", () => {
    const checks = [
      rootCheck(0),
      kvmCheck(undefined),
      perfCheck(undefined),
      filesCheck(20_000),
      clockCheck(() => "tsc"),
    ];
    checks.push(
      libvirtCheck("/d", () => ["a.xml", "a.pid"]),
      ...cgroupChecks(mount(false, ["cpu", "cpuset"])),
    );
    expect(checks.map(({ status }) => status)).toEqual(checks.map(() => "ok"));
    expect(checks[5]?.reason).toBe("/d is readable: 1 guests run");
  });
});

describe("what Redis answers", () => {
  const answer = (aof: string, seconds = 1000): string =>
    `+OK\r\n+PONG\r\n*2\r\n$10\r\n${1_800_000_000 + seconds}\r\n$1\r\n0\r\n${aof}`;
  const status = (text: string): string[] =>
    redisFindings(text, REDIS, 1_800_001_000_000).map(({ status }) => status);

  it("is read: append-only file, and the time there", () => {
    expect(status(answer("*2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n"))).toEqual(["ok", "ok", "ok"]);
    expect(status(answer("*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n", 1060))).toEqual(["ok", "warn", "warn"]);
    expect(status(answer("-NOPERM this user has no permissions\r\n"))).toEqual(["ok", "warn", "ok"]);
  });

  it("is a failure where it does not let us in", () => {
    expect(redisFindings("-NOAUTH Authentication required.\r\n", REDIS, 0)).toMatchObject([
      { status: "fail", remedy: "KVMGOV_REDIS_PASSWORD" },
    ]);
  });
});

/** What JetStream answers; -1: no limit. */
function accountInfo(used: object = {}, limits: object = {}): string {
  const none = { max_memory: -1, max_storage: -1, max_streams: -1, max_consumers: -1 };
  const info = { memory: 0, storage: 0, streams: 5, consumers: 9, ...used, limits: { ...none, ...limits } };
  const text = JSON.stringify(info);
  return `MSG _INBOX.kvmgov-doctor 1 ${text.length}\r\n${text}\r\n`;
}

describe("the limits of JetStream", () => {
  const MIB = 1024 * 1024;
  const findings = (text: string, payload = MIB) =>
    natsFindings(
      `INFO {"version":"2.9","jetstream":true,"max_payload":${payload}}\r\nPONG\r\n${text}`,
      { host: "h", port: 4222, tls: false },
      800 * MIB,
    ).slice(1);

  it("are enough where there is room for all streams, or no limit", () => {
    expect(findings(accountInfo())).toMatchObject(
      [{ status: "ok", reason: /5 streams.*800 MiB/ }].map(matching),
    );
    expect(findings(accountInfo({}, { max_memory: 800 * MIB }))).toMatchObject([{ status: "ok" }]);
  });

  it("fail or warn where a stream, a message or the next classifier would not fit", () => {
    expect(findings(accountInfo({}, { max_memory: 100 * MIB }))).toMatchObject(
      [{ status: "fail", reason: /may have 100 MiB in memory, our streams up to 800 MiB/ }].map(matching),
    );
    expect(findings(accountInfo({ streams: 5 }, { max_streams: 5 }))).toMatchObject(
      [{ status: "warn", reason: /5 of 5 streams/ }].map(matching),
    );
    expect(findings(accountInfo({ storage: 9 }, { max_storage: 10 }))).toMatchObject([{ status: "warn" }]);
    expect(findings(accountInfo({ consumers: 8 }, { max_consumers: 10 }))).toMatchObject([
      { status: "warn" },
    ]);
    expect(findings(accountInfo({ consumers: 7 }, { max_consumers: 10 }))).toMatchObject([{ status: "ok" }]);
    expect(findings(accountInfo(), 65_536)[0]).toMatchObject(
      matching({ status: "warn", reason: /more than 65536 bytes are refused/ }),
    );
  });

  it("cannot be seen by a host's user, and are none for an account without JetStream", () => {
    const refused = `-ERR 'Permissions Violation for Publish to "$JS.API.INFO"'\r\n`;
    expect(findings(refused)).toMatchObject([matching({ status: "warn", reason: /may not ask/ })]);
    const text = '{"error":{"code":503,"description":"JetStream not enabled for account"}}';
    expect(findings(`MSG _INBOX.kvmgov-doctor 1 ${text.length}\r\n${text}\r\n`)).toMatchObject([
      matching({ status: "fail", reason: /not enabled for account/ }),
    ]);
  });
});

const matching = ({ status, reason }: { status: string; reason: RegExp }): object => ({
  status,
  reason: expect.stringMatching(reason),
});

describe("a server that is configured", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  /** A server that says some text to whoever comes. */
  async function saying(text: string): Promise<string> {
    const server = createServer((socket) => void socket.on("error", () => socket.destroy()).end(text)).listen(
      0,
      "127.0.0.1",
    );
    servers.push(server);
    await once(server, "listening");
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it("fails where nobody listens, without telling the password", async () => {
    const [nats] = await natsChecks({ KVMGOV_NATS_URL: "nats://u:secret@127.0.0.1:9" });
    const [redis] = await redisChecks({ KVMGOV_REDIS_URL: "redis://:secret@127.0.0.1:9/0" });
    expect([nats, redis]).toMatchObject([
      { status: "fail", reason: expect.stringContaining("ECONNREFUSED") },
      { status: "fail" },
    ]);
    expect(JSON.stringify([nats, redis])).not.toContain("secret");
  });

  it("fails where it refuses us, lacks JetStream, or is something else", async () => {
    const ask = async (text: string): Promise<string | undefined> =>
      (await natsChecks({ KVMGOV_NATS_URL: `nats://${await saying(text)}` }))[0]?.reason;
    expect(await ask('INFO {"version":"2.9"}\r\n-ERR \'Authorization Violation\'\r\n')).toMatch(
      /refuses us: 'Authorization/,
    );
    expect(await ask('INFO {"version":"2.9"}\r\nPONG\r\n')).toMatch(/has no JetStream/);
    const well = `INFO {"version":"2.9","jetstream":true}\r\n${accountInfo()}PONG\r\n`;
    expect(await ask(well)).toMatch(/nats-server 2.9 with JetStream/);
    expect(await ask("HTTP/1.1 400 Bad Request\r\n")).toMatch(/answers "HTTP/);
  });

  it("is not asked for where none is configured", async () => {
    expect(await natsChecks({})).toMatchObject([{ status: "ok" }]);
  });
});
