/** docker-compose.yml against the schema of the Compose specification, which is what Compose v2 accepts. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { z } from "zod";
import { readDeployed, replaceOnce } from "../support/deployed.ts";

const schemaFile = new URL("../data/compose-spec/compose-spec.json", import.meta.url);

describe("docker-compose.yml for Compose v2", () => {
  let text: string;
  const composeFile = z.fromJSONSchema(
    JSON.parse(readFileSync(schemaFile, "utf8")) as Parameters<typeof z.fromJSONSchema>[0],
    { defaultTarget: "draft-7" },
  );
  /** Where the file is not as the schema says. */
  const faults = (file: string): string[] =>
    composeFile.safeParse(parse(file, { merge: true })).error?.issues.map(({ path }) => path.join(".")) ?? [];

  beforeAll(async () => {
    text = await readDeployed("docker-compose.yml");
  });

  it("is as the specification says", () => {
    expect(faults(text)).toEqual([]);
  });

  it.each([
    ["an unknown key", "20 s.\n    stop_grace_period:", "20 s.\n    stop_grace:", "services.actuator"],
    ["a wrong type", "network_mode: none", "network_mode: [none]", "services.guardian.network_mode"],
    ["a key at the wrong place", "  store:\n    internal:", "  store:\n    ports:", "networks.store"],
  ])("is refused with %s", (_, from, to, where) => {
    expect(faults(replaceOnce(text, from, to))).toContain(where);
  });
});
