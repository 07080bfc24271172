/** deploy/ssh/rollout.sh on real sshds: batches, stopping at the first host that is not healthy, going on, users of NATS for each host. */
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { ensureTools, Server } from "@kvm-governor/lab";
import { connectBus, createLogger, Readiness } from "@kvm-governor/service-kit";
import type { Bus } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { repository } from "../support/deployed.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";
import { SshHost } from "../support/ssh-host.ts";

const exec = promisify(execFile);
const START_MS = 300_000;
const CONTROL = "control-secret-1";
jest.setTimeout(300_000);

interface Ran {
  code: number;
  output: string;
}

describeWith(["root", "ssh", "servers"], "a rollout over ssh", () => {
  let dir: string;
  let archive: string;
  let nats: Server;
  let bus: Bus;
  let hosts: SshHost[] = [];
  const announced = new Set<string>();
  const done = new AbortController();
  const book = (): string => path.join(dir, "users");
  const at = (index: number): SshHost => {
    const host = hosts[index];
    if (host === undefined) throw new Error(`there is no host ${index}`);
    return host;
  };

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "kvmgov-rollout-"));
    const script = path.join(repository, "scripts/release.js");
    archive = (await exec(process.execPath, [script, path.join(dir, "dist")])).stdout.trim();
    // On the machine of nats-server the command is that of a release.
    await exec("tar", ["-xzf", archive, "-C", dir]);
    await exec(kvmgov(), ["credentials", "write", "--dir", book()]);
    nats = await startNats();
    const readiness = new Readiness();
    bus = connectBus({
      url: `nats://127.0.0.1:${nats.port}`,
      user: "control",
      password: CONTROL,
      name: "test",
      manage: true,
      log: createLogger("test", "silent"),
      readiness,
      registry: new Registry(),
    });
    await waitFor("streams", 15_000, () => readiness.parts()["streams"]?.ok || undefined);
    void bus.consume("host", "test", done.signal, (message) => {
      announced.add((JSON.parse(Buffer.from(message.data).toString()) as { host: string }).host);
      message.ack();
    });
    hosts = await SshHost.startAll(dir, ["one", "two", "three"]);
    await writeFile(path.join(dir, "ssh_config"), SshHost.configuration(dir, hosts));
    await writeFile(
      path.join(dir, "hosts"),
      `# the fleet\n${hosts.map(({ id }) => `${id} ${id}\n`).join("")}`,
    );
    await writeFile(path.join(dir, "host.env"), `KVMGOV_NATS_URL=nats://127.0.0.1:${nats.port}\n`);
  }, START_MS);

  afterAll(async () => {
    done.abort();
    // unshare(1) does not end at SIGTERM; at its death the kernel kills all that it started.
    for (const { server } of hosts) await server.kill();
    await bus?.close();
    await nats?.stop();
    await rm(dir, { recursive: true, force: true });
  }, START_MS);

  const kvmgov = (): string => path.join(dir, path.basename(archive, ".tar.gz"), "bin/kvmgov");

  async function startNats(): Promise<Server> {
    const program = (await ensureTools(["servers"])).find("nats-server");
    const log = path.join(dir, "nats.log");
    return Server.start({
      name: "nats-server",
      program: { ...program, env: { ...program.env, NATS_CONTROL_PASSWORD: `"${CONTROL}"` } },
      logFile: log,
      args: async (port) => {
        const text = `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${dir}/jetstream" }\ninclude "users/authorization.conf"\n`;
        await writeFile(path.join(dir, "nats.conf"), text);
        return ["-c", path.join(dir, "nats.conf")];
      },
      probe: (port) => Promise.resolve(readFileSync(log, "utf8").includes(`:${port}`)),
    });
  }

  async function rollout(...options: string[]): Promise<Ran> {
    const args = ["--ssh-config", path.join(dir, "ssh_config"), "--settings", path.join(dir, "host.env")];
    args.push("--credentials", book(), "--reload", `kill -HUP ${nats.pid}`, "--batch", "2", "--wait", "20");
    const program = path.join(repository, "deploy/ssh/rollout.sh");
    const env = { PATH: process.env["PATH"], HOME: dir, KVMGOV: kvmgov() };
    const all = [...args, ...options, archive, path.join(dir, "hosts")];
    return new Promise((resolve) => {
      execFile(program, all, { env, maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
      );
    });
  }

  const users = (): string[] =>
    (
      JSON.parse(readFileSync(path.join(book(), "hosts.json"), "utf8")) as { users: { user: string }[] }
    ).users.map(({ user }) => user);
  const progress = (): string[] => {
    const file = readdirSync(dir).find((name) => /^hosts\..*\.done$/.test(name));
    return file === undefined
      ? []
      : readFileSync(path.join(dir, file), "utf8").split("\n").filter(Boolean).sort();
  };
  const isTouched = ({ opt }: SshHost): boolean => existsSync(path.join(opt, "kvm-governor"));

  test("says what it would do, and does nothing of it", async () => {
    const { code, output } = await rollout("--dry-run");
    expect({ code, output }).toMatchObject({
      code: 0,
      output: expect.stringContaining("nothing was changed"),
    });
    for (const { id } of hosts) {
      expect(output).toContain(`${id}: would get a user of NATS`);
      expect(output).toMatch(new RegExp(`^${id}: would install \\d+\\.\\d+\\.\\d+, `, "m"));
    }
    expect([users(), progress(), hosts.filter(isTouched)]).toEqual([[], [], []]);
  });

  test("stops after the batch with a host that is not healthy, and says why", async () => {
    await at(1).run(
      "cp /etc/kvm-governor/collector.yaml /run/well; echo checkPeriod: 5 >>/etc/kvm-governor/collector.yaml",
    );
    const { code, output } = await rollout();
    expect({ code, output }).toMatchObject({
      code: 1,
      output: expect.stringContaining("not healthy: two\n"),
    });
    expect(output).toMatch(/^one: healthy$/m);
    expect(output).toMatch(/^two: .*kvm-governor-collector does not run/m);
    expect(output).toContain("stopped; the hosts after these were not touched");
    expect(isTouched(at(2))).toBe(false);
    expect(progress()).toEqual(["one"]);
    expect(users()).toEqual(["one.1", "two.1"]);
    await waitFor("the first host on the bus", 30_000, () => announced.size > 0 || undefined);
    expect(announced).toEqual(new Set(["one"]));
  });

  test("goes on where it stopped, and leaves those that are done alone", async () => {
    await at(1).run("cp /run/well /etc/kvm-governor/collector.yaml; rm /run/well");
    const before = await at(0).run("cat /run/units/*.pid");
    const { code, output } = await rollout();
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining("all 3 hosts") });
    expect(output).toMatch(/^rollout of \S+ \(\w+\): 3 hosts, 1 done before, 2 to do/m);
    expect(output).not.toMatch(/^one: /m);
    expect(output).toMatch(/^two: the archive is there$/m);
    expect(output).toMatch(/^three: the archive was copied$/m);
    expect(await at(0).run("cat /run/units/*.pid")).toBe(before);
    expect(progress()).toEqual(["one", "three", "two"]);
    // A host that has a user keeps it.
    expect(users()).toEqual(["one.1", "two.1", "three.1"]);
    await waitFor("all hosts on the bus", 30_000, () => announced.size === 3 || undefined);
  });

  test("keeps passwords where root alone reads them, and leaves nothing else behind", async () => {
    for (const host of hosts) {
      const env = await host.run(
        "cat /etc/kvm-governor/host.env; stat -c %a /etc/kvm-governor/host.env; ls /etc/kvm-governor",
      );
      expect(env).toMatch(new RegExp(`^KVMGOV_HOST_ID=${host.id}$`, "m"));
      expect(env).toMatch(/^KVMGOV_NATS_PASSWORD=[\w-]{20,}$/m);
      expect(env.match(/^KVMGOV_NATS_URL=/gm)).toHaveLength(1);
      expect(env).toMatch(/^600$/m);
      expect(env).not.toMatch(/\.(add|new)$/m);
      expect(readdirSync(path.join(host.opt, "kvm-governor"))).not.toContain("incoming");
      expect(await host.run("ls /run/units")).toContain("kvm-governor-actuator.enabled");
    }
  });

  test.each([
    ["one one\none other", /host one is there twice/],
    ["one", /"one" is not HOST-ID SSH-DESTINATION/],
    ["a;b one", /"a;b one" is not HOST-ID SSH-DESTINATION/],
    ["one -oProxyCommand=x", /is not HOST-ID SSH-DESTINATION/],
    ["# none", /names no host/],
    ["gone nowhere.invalid", /gone cannot be reached at nowhere\.invalid/],
  ])("refuses the list %j", async (list, message) => {
    const file = path.join(dir, "list");
    writeFileSync(file, `${list}\n`);
    const program = path.join(repository, "deploy/ssh/rollout.sh");
    await expect(exec(program, ["--dry-run", archive, file])).rejects.toThrow(message);
  });
});
