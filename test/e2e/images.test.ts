/** deploy/images/Dockerfile: copies what each service needs, and what is there. */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "@jest/globals";
import { readDeployed, repository } from "../support/deployed.ts";

const OWN = ["actuator", "classifier", "collector"] as const;

describe("deploy/images/Dockerfile", () => {
  let copies: string[];

  beforeAll(async () => {
    const text = await readDeployed("deploy/images/Dockerfile");
    copies = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources]) =>
      (sources ?? "").split(" "),
    );
  });

  it("copies what is there", () => {
    expect(copies.length).toBeGreaterThan(8);
    for (const copied of copies.filter((source) => !source.includes("$"))) {
      expect({ copied, exists: existsSync(path.join(repository, copied)) }).toEqual({ copied, exists: true });
    }
  });

  it("copies the manifest of every workspace: npm ci refuses a tree that lacks one", () => {
    const workspaces = ["packages", "services"].flatMap((parent) =>
      readdirSync(path.join(repository, parent)).map((name) => `${parent}/${name}/package.json`),
    );
    for (const manifest of workspaces) expect(copies).toContain(manifest);
  });

  it.each(OWN)("copies the sources of every package that the %s depends on", async (name) => {
    const pending = [`services/${name}`];
    for (const directory of pending) {
      const { dependencies = {} } = JSON.parse(await readDeployed(`${directory}/package.json`)) as {
        dependencies?: Record<string, string>;
      };
      const names = Object.keys(dependencies).filter((each) => each.startsWith("@kvm-governor/"));
      for (const each of names) {
        const source = each.replace("@kvm-governor/", "packages/");
        expect(copies).toContain(source);
        if (!pending.includes(source)) pending.push(source);
      }
    }
    expect(pending.length).toBeGreaterThan(1);
  });
});
