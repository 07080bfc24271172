/** Real servers of the lab: ready when they say so, they keep data over a crash, and can be frozen and thawed. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type Server, startAlertmanager, startNats, startPrometheus, startRedis } from "@kvm-governor/lab";
import { mkdirSync, mkdtempSync, rmSync, rmdirSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { NO_CHANGES, changesSince, isAlive, machineState } from "../support/machine-state.ts";
import { describeWith } from "../support/requirements.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "kvmgov-data-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** What a server answers to `text` within a second. */
function answer(server: Server, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const socket = connect(server.port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (chunk) => (said += String(chunk)));
    socket.on("error", reject);
    setTimeout(() => {
      socket.destroy();
      resolve(said);
    }, 1000);
  });
}

describeWith(["servers"], "NATS and Redis", () => {
  test("Redis keeps what it answered over a crash, on the same port, and asks for its password", async () => {
    const { server } = await startRedis({ dir, password: "secret" });
    expect(await answer(server, "GET a\r\n")).toMatch(/NOAUTH/);
    expect(await answer(server, "AUTH secret\r\nSET a 1\r\n")).toBe("+OK\r\n+OK\r\n");
    await server.kill();
    await server.restart();
    expect(await answer(server, "AUTH secret\r\nGET a\r\n")).toBe("+OK\r\n$1\r\n1\r\n");
    const { pid } = server;
    await server.stop();
    expect(isAlive(pid)).toBe(false);
  }, 20_000);

  test("a frozen server answers nothing and goes on when thawed; it can be stopped while frozen", async () => {
    const { server } = await startNats({ dir });
    expect(await answer(server, "")).toMatch(/^INFO .*"jetstream":true/);
    server.pause();
    expect(await answer(server, "")).toBe("");
    server.resume();
    expect(await answer(server, "")).toMatch(/^INFO /);
    server.pause();
    await server.stop();
  }, 20_000);

  test("NATS refuses who has no credentials", async () => {
    const { server } = await startNats({ dir, user: "u", password: "p" });
    expect(await answer(server, "CONNECT {}\r\nPING\r\n")).toMatch(/Authorization Violation/);
    expect(await answer(server, 'CONNECT {"user":"u","pass":"p"}\r\nPING\r\n')).toMatch(/PONG/);
    await server.stop();
  }, 20_000);

  test("a server that cannot start says why", async () => {
    await expect(startNats({ dir, authorization: "nonsense {" })).rejects.toThrow(
      /nats-server did not start: .*Parse error/,
    );
  }, 20_000);
});

describeWith(["prometheus"], "Prometheus", () => {
  test("starts with a configuration, and refuses a wrong one with its own words", async () => {
    const { server, url } = await startPrometheus({ dir, configText: "scrape_configs: []\n" });
    expect((await fetch(`${url}/api/v1/targets`)).status).toBe(200);
    await server.stop();
    await expect(startPrometheus({ dir, configText: "nonsense: 1\n" })).rejects.toThrow(
      /field nonsense not found/,
    );
  }, 20_000);
});

describeWith(["alertmanager"], "Alertmanager", () => {
  test("starts with a configuration", async () => {
    const { server } = await startAlertmanager({
      dir,
      configText: "route: { receiver: a }\nreceivers: [{ name: a }]\n",
    });
    await server.stop();
  }, 20_000);
});

describeWith(["servers"], "the machine's state", () => {
  test("what is left behind is seen: a directory, a server; what others own is not", async () => {
    const before = machineState();
    const left = path.join(tmpdir(), `kvmgov-lab-${process.pid}-left`);
    const foreign = path.join(tmpdir(), `kvmgov-lab-${process.ppid}-left`); // our parent lives, and is not our child
    mkdirSync(left);
    mkdirSync(foreign);
    const { server } = await startRedis({ dir });
    const { added } = await changesSince(before, 0);
    await server.stop();
    rmdirSync(left);
    rmdirSync(foreign);
    expect(added).toEqual([`redis-server ${server.pid}`, path.basename(left)]);
    expect(await changesSince(before)).toEqual(NO_CHANGES);
  }, 20_000);
});

describeWith(["root", "cgroup-v1"], "the machine's state", () => {
  test("a control group that is left behind is seen", async () => {
    const before = machineState();
    const group = `/sys/fs/cgroup/cpu/kvmgov-lab-${process.pid}-left`;
    mkdirSync(group);
    const { added } = await changesSince(before, 0);
    rmdirSync(group);
    expect(added).toEqual([group]);
  });
});
