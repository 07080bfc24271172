/** deploy/images/Dockerfile, without Docker: it copies what is there, and the trees that it puts into images run by themselves. */
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { run } from "../../scripts/lib/run.js";
import { readDeployed, repository } from "../support/deployed.ts";
import { ServiceProcess } from "../support/service-process.ts";

const OWN = ["actuator", "classifier", "collector"] as const;
const MAKER = path.join(repository, "scripts/release/image.js");
const START_MS = 120_000;

describe("deploy/images/Dockerfile", () => {
  let text: string;
  let manifests: string[];

  beforeAll(async () => {
    text = await readDeployed("deploy/images/Dockerfile");
    manifests = [...text.matchAll(/^COPY (.+package\.json) \S+$/gm)].map(([, source]) => source ?? "");
  });

  it("copies the manifest of every workspace before it installs: npm ci refuses a tree that lacks one", () => {
    const workspaces = ["packages", "services"].flatMap((parent) =>
      readdirSync(path.join(repository, parent)).map((name) => `${parent}/${name}/package.json`),
    );
    expect(manifests.sort()).toEqual(workspaces.sort());
    for (const manifest of manifests)
      expect({ manifest, exists: existsSync(path.join(repository, manifest)) }).toEqual({
        manifest,
        exists: true,
      });
  });

  it("begins each stage with one base, and ends as a user without rights", () => {
    expect(new Set([...text.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image))).toEqual(
      new Set(["node:24-slim"]),
    );
    expect(text).toMatch(/^USER node\n(#.*\n)*ENTRYPOINT /m);
  });
});

describe("the tree of an image", () => {
  const dir = mkdtempSync(path.join(tmpdir(), `kvmgov-image-${process.pid}-`));
  const treeOf = (service: string): string => path.join(dir, service);

  beforeAll(async () => {
    for (const service of OWN) await run(process.execPath, [MAKER, service, treeOf(service)]);
  }, START_MS);

  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it.each(OWN)(
    "of the %s starts by itself, with what it needs alone",
    async (service) => {
      // Without NATS, Redis and Docker: it waits for them. What it lacks of its own would end it.
      const program = await ServiceProcess.startProgram(
        process.execPath,
        ["--disable-warning=ExperimentalWarning", path.join(treeOf(service), "lib/service.js")],
        {
          KVMGOV_HOST_ID: "h1",
          KVMGOV_DRY_RUN: "true",
          KVMGOV_STATE_DIR: path.join(dir, "state"),
          KVMGOV_RUN_DIR: path.join(dir, "run"),
          KVMGOV_LIBVIRT_RUN_DIR: path.join(dir, "libvirt"),
          KVMGOV_NATS_URL: "nats://127.0.0.1:1",
          KVMGOV_REDIS_URL: "redis://127.0.0.1:1",
        },
      );
      try {
        expect(await program.metrics()).toContain(`kvmgov_build_info{service="${service}"`);
        if (service === "classifier")
          expect((await fetch(`${program.url}/console/`)).headers.get("content-type")).toMatch(/html/);
      } finally {
        await program.stop();
      }
      const files = globSync("**/*", { cwd: treeOf(service) });
      const sources = files.filter((file) => file.startsWith("services/") && file.endsWith(".ts"));
      expect(sources).toEqual([]);
      const bytes = files.reduce((sum, file) => sum + statSync(path.join(treeOf(service), file)).size, 0);
      expect(bytes).toBeLessThan(20e6);
    },
    60_000,
  );

  it.each(OWN)("of the %s lists what is in it, with licences, and nothing of the others", (service) => {
    const { components, metadata } = JSON.parse(
      readFileSync(path.join(treeOf(service), "sbom.cdx.json"), "utf8"),
    ) as {
      components: { name: string; licenses?: object[] }[];
      metadata: { component: { name: string } };
    };
    expect(metadata.component.name).toBe(`@kvm-governor/${service}`);
    const names = components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["express", "prom-client", "zod"]));
    expect({ native: names.includes("koffi"), redis: names.includes("ioredis") }).toEqual({
      native: service !== "classifier",
      redis: service === "classifier",
    });
    for (const { name, licenses = [] } of components)
      expect({ name, licenses: licenses.length }).toEqual({ name, licenses: 1 });
  });

  it.each(OWN)("of the %s brings the licence of each package that it lists, and no other", (service) => {
    const read = (file: string): string => readFileSync(path.join(treeOf(service), file), "utf8");
    const { components } = JSON.parse(read("sbom.cdx.json")) as {
      components: { name: string; version: string }[];
    };
    const workspaces = new Set([...OWN, "console", "linux", "policy", "service-kit"] as string[]);
    const elsewhere = process.arch === "x64" ? /-linux-arm64$/ : /-linux-x64$/;
    const listed = components
      .filter(({ name }) => !workspaces.has(name.replace("@kvm-governor/", "")) && !elsewhere.test(name))
      .map(({ name, version }) => `${name} ${version}`);
    const text = read("THIRD-PARTY-NOTICES.txt");
    const titles = [...text.matchAll(/^(\S+ \d\S*) \(.+\)$/gm)].map(([, title]) => title);
    expect(new Set(titles)).toEqual(new Set(listed));
    expect(titles).toHaveLength(new Set(titles).size);
    expect(text).toMatch(/Permission is hereby granted/);
    expect(titles.some((title) => title?.startsWith("node-linux-"))).toBe(false);
  });

  it("of a service that there is not is refused, by name", async () => {
    await expect(run(process.execPath, [MAKER, "colector", treeOf("none")])).rejects.toThrow(
      /SERVICE is "colector": there are images of collector, classifier, actuator/,
    );
    expect(existsSync(treeOf("none"))).toBe(false);
  });
});
