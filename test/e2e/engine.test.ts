/**
 * docker-compose.yml as it is, on a real Docker engine with real KVM guests: images built by its Dockerfile, brought up by what
 * docs/install-compose.md says, until Prometheus shows the guests' classes and their control groups have their quotas; then the ways
 * back. The images that cannot be pulled are stand-ins of Debian's packages (test/engine/stand-ins.ts).
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startLibvirt, type Guest, type Libvirt } from "@kvm-governor/lab";
import { containersOf, rightsOf, type Container } from "../engine/containers.ts";
import { DockerEngine } from "../engine/engine.ts";
import { dockerBridges, quotasOf } from "../engine/host.ts";
import { buildImages, imageOf, inspectImage, OWN, readFromImage } from "../engine/own-images.ts";
import { makeProject, writePolicy } from "../engine/project.ts";
import { kernelState } from "../support/actuator-bench.ts";
import { readDeployed, replaceOnce } from "../support/deployed.ts";
import { changesSince, machineState, NO_CHANGES, type MachineState } from "../support/machine-state.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";

/** With the base of the stand-ins, the first time. */
const BUILD_MS = 900_000;
const TEST_MS = 240_000;
/** A plan's time after its last renewal (planTtlMs), and the guardian's patience. */
const VOID_MS = 14_000;
/** The first check of each is made after one interval of docker-compose.yml. */
const HEALTHY_MS = 120_000;
const LOG = (line: string): void => void process.stderr.write(`${line}\n`);

/** All that the profile `all` starts. */
const SERVICES = [
  ...["actuator", "alertmanager", "classifier", "collector", "guardian", "nats", "prometheus", "redis"],
];

describeWith(["root", "kvm", "cgroup-v1", "lab", "compose", "docker"], "docker-compose.yml on Docker", () => {
  let before: MachineState;
  let bridges: string[];
  let dir: string;
  let project: string;
  let version: string;
  let libvirt: Libvirt;
  let engine: DockerEngine;
  let web: Guest;
  let solver: Guest;
  let untouched: string;

  const state = (): string => JSON.stringify([kernelState(web), kernelState(solver)]);
  const compose = (...args: string[]): Promise<string> => engine.compose(project, args);

  beforeAll(async () => {
    before = machineState();
    bridges = dockerBridges();
    ({ version } = JSON.parse(await readDeployed("package.json")) as { version: string });
    dir = await mkdtemp(path.join(tmpdir(), `kvmgov-compose-${process.pid}-`));
    project = path.join(dir, "project");
    await makeProject(project);
    await buildImages(project, version, LOG);
    libvirt = await startLibvirt();
    web = await libvirt.defineAndStart({ name: "web", load: { percent: 10 } });
    solver = await libvirt.defineAndStart({ name: "solver", load: { vcpus: 2, percent: 100 } });
    await writePolicy(project, [
      { match: { uuid: web.uuid }, class: "auto", slaCores: 0.9 },
      { match: { uuid: solver.uuid }, class: "auto" },
    ]);
    untouched = state();
    const libvirtStatusDir = path.join(libvirt.runDir, "qemu");
    engine = await DockerEngine.start({ network: "own", libvirtStatusDir, log: LOG });
  }, BUILD_MS);

  afterAll(async () => {
    await engine?.stop();
    await libvirt?.stop();
    await rm(dir, { recursive: true, force: true });
    expect(dockerBridges()).toEqual(bridges);
    expect(await changesSince(before)).toEqual(NO_CHANGES);
  }, TEST_MS);

  async function containerOf(service: string): Promise<Container> {
    const container = (await containersOf(engine)).get(service);
    if (container === undefined) throw new Error(`there is no container of ${service}`);
    return container;
  }

  /** Waits; where it was in vain, the error has what the containers said at last. */
  async function until(
    what: string,
    timeoutMs: number,
    isSo: () => Promise<boolean> | boolean,
  ): Promise<void> {
    await waitFor(what, timeoutMs, async () => {
      if (await isSo()) return true;
      await sleep(250);
      return undefined;
    }).catch(async (cause: unknown) => {
      throw new Error(`${what}\n${await compose("logs", "--no-color", "--tail=6")}`, { cause });
    });
  }

  /** Values by guest's name. */
  async function query(expression: string): Promise<Map<string, number>> {
    const url = `http://127.0.0.1:9090/api/v1/query?query=${encodeURIComponent(expression)}`;
    const answer = JSON.parse(await engine.page(url)) as {
      data: { result: { metric: { name?: string }; value: [number, string] }[] };
    };
    return new Map(answer.data.result.map(({ metric, value }) => [metric.name ?? "", Number(value[1])]));
  }

  /** Both guests are held. */
  const areHeld = (): boolean =>
    [...quotasOf(web), ...quotasOf(solver)].every((quota) => Number.isFinite(quota));

  /** How often a guest was seen that was not held, while something is done. */
  async function gapsDuring(work: () => Promise<unknown>): Promise<number> {
    let [gaps, isDone] = [0, false];
    const done = work().finally(() => (isDone = true));
    while (!isDone) {
      if (!areHeld()) gaps++;
      await sleep(20);
    }
    await done;
    return gaps;
  }

  test(
    "our images are small, for a user without rights, and list what is in them",
    async () => {
      const base = await inspectImage(engine, "node:24-slim");
      for (const service of OWN) {
        const image = imageOf(service, version);
        const { user, entrypoint, size } = await inspectImage(engine, image);
        LOG(`docker: image of the ${service}: ${((size - base.size) / 1e6).toFixed(1)} MB over its base`);
        expect({ service, user }).toEqual({ service, user: "node" });
        expect(entrypoint.at(-1)).toBe("lib/service.js");
        expect(size - base.size).toBeLessThan(16e6);
        const sbom = JSON.parse(await readFromImage(engine, image, "/app/sbom.cdx.json")) as {
          metadata: { component: { name: string } };
          components: { name: string }[];
        };
        expect(sbom.metadata.component.name).toBe(`@kvm-governor/${service}`);
        const names = sbom.components.map(({ name }) => name);
        expect(names).toContain("zod");
        expect(names.includes("ioredis")).toBe(service === "classifier");
      }
    },
    TEST_MS,
  );

  test(
    "every service comes up and is healthy, by what docs/install-compose.md says",
    async () => {
      const page = await readDeployed("docs/install-compose.md");
      expect(page).toContain("cp .env.example .env && chmod 600 .env");
      expect(page).toContain("docker-compose up -d --build\n");
      await compose("up", "-d", "--build");
      expect([...(await containersOf(engine)).keys()].sort()).toEqual(SERVICES);
      await until("healthy containers", HEALTHY_MS, async () =>
        [...(await containersOf(engine)).values()].every(({ State }) => State.Health?.Status === "healthy"),
      );
      for (const [service, { RestartCount }] of await containersOf(engine))
        expect({ service, RestartCount }).toEqual({ service, RestartCount: 0 });
    },
    TEST_MS,
  );

  test("no container may do more than docker-compose.yml grants", async () => {
    const nobody = 65_534;
    const expected: Record<string, [uid: number | "other", capabilities: string[]]> = {
      actuator: [0, ["SYS_NICE"]],
      alertmanager: [nobody, []],
      classifier: [1000, []],
      collector: [0, ["SYS_ADMIN"]], // instead of PERFMON: Debian's Docker does not know that one
      guardian: [0, ["SYS_NICE"]],
      nats: [0, []],
      prometheus: [nobody, []],
      redis: ["other", []],
    };
    for (const [service, container] of await containersOf(engine)) {
      const { uid, capabilities, noNewPrivileges } = rightsOf(container);
      const [uidExpected, granted] = expected[service] ?? ["other", []];
      expect({ service, capabilities, noNewPrivileges }).toEqual({
        service,
        capabilities: granted,
        noNewPrivileges: true,
      });
      if (uidExpected === "other") expect(uid).toBeGreaterThan(0);
      else expect({ service, uid }).toEqual({ service, uid: uidExpected });
      expect(container.HostConfig).toMatchObject({ ReadonlyRootfs: true, Privileged: false });
    }
  });

  test(
    "Prometheus shows the classes of the guests, and that switches are counted",
    async () => {
      const byName = "kvmgov_guest_scientific * on (uuid) group_left (name) kvmgov_guest_info";
      await until("a scientific guest in Prometheus", 90_000, async () => {
        const classes = await query(byName);
        return classes.get("solver") === 1 && classes.get("web") === 0;
      });
      expect([...(await query("kvmgov_collector_perf_available")).values()]).toEqual([1]);
      expect([...(await query('min(up{job=~"kvmgov-.*"})')).values()]).toEqual([1]);
    },
    TEST_MS,
  );

  test(
    "the control groups of the guests have their quotas",
    async () => {
      expect(JSON.parse(untouched)).not.toEqual(JSON.parse(state()));
      await until("quotas", 30_000, areHeld);
      // The SLA of a service under preset `paper`, exactly; a share of what is left for the scientific guest.
      expect(quotasOf(web)).toEqual([0.9]);
      const share = quotasOf(solver).reduce((sum, quota) => sum + quota, 0);
      expect(share).toBeGreaterThan(0);
      expect(share).toBeLessThan(2);
    },
    TEST_MS,
  );

  test(
    "a killed actuator: nobody restores without the guardian, and with it every guest goes back",
    async () => {
      await compose("stop", "guardian");
      // Docker takes this for the user's word and does not start it again.
      await engine.docker(["kill", (await containerOf("actuator")).Id]);
      await sleep(VOID_MS);
      expect(areHeld()).toBe(true);
      await compose("start", "guardian");
      await until("guests as they were", 30_000, () => state() === untouched);
      expect(await compose("logs", "--no-color", "guardian")).toContain("actuator-abandoned");
      expect((await containerOf("actuator")).State.Status).toBe("exited");
    },
    TEST_MS,
  );

  test(
    "an actuator that dies by itself is started again by Docker and goes on",
    async () => {
      await compose("start", "actuator");
      await until("quotas", 60_000, areHeld);
      const { State, RestartCount } = await containerOf("actuator");
      process.kill(State.Pid, "SIGKILL");
      await until("a new actuator", 30_000, async () => {
        const next = await containerOf("actuator");
        return next.RestartCount === RestartCount + 1 && next.State.Status === "running";
      });
      await until("quotas", 60_000, areHeld);
    },
    TEST_MS,
  );

  test(
    "an upgrade with KVMGOV_ON_STOP=keep leaves no gap, and without it there is one",
    async () => {
      const env = path.join(project, ".env");
      const text = await readFile(env, "utf8");
      await writeFile(env, replaceOnce(text, "#KVMGOV_ON_STOP=restore", "KVMGOV_ON_STOP=keep"));
      const replace = (): Promise<string> => compose("up", "-d", "--force-recreate", "--no-deps", "actuator");
      // Off arm: the one that is replaced here was started with the default.
      expect(await gapsDuring(replace)).toBeGreaterThan(0);
      await until("quotas", 60_000, areHeld);
      expect(await gapsDuring(replace)).toBe(0);
      await until("the next actuator's word", 30_000, async () =>
        (await compose("logs", "--no-color", "actuator")).includes('"event":"adopted"'),
      );
      await sleep(VOID_MS);
      expect(areHeld()).toBe(true);
    },
    TEST_MS,
  );

  test(
    "docker-compose down takes everything back and leaves no container and no network",
    async () => {
      await compose("down", "--volumes");
      expect(JSON.parse(state())).toEqual(JSON.parse(untouched));
      expect((await containersOf(engine)).size).toBe(0);
      const networks = (await engine.docker(["network", "ls", "--format", "{{.Name}}"])).trim().split("\n");
      expect(networks.sort()).toEqual(["bridge", "host", "none"]);
    },
    TEST_MS,
  );

  test.skip("profile dashboards — skipped: Debian has no Grafana that an image could be made of —", () => {
    throw new Error("there is no image of Grafana");
  });
});
