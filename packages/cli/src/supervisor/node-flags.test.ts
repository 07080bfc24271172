import { readFileSync } from "node:fs";
import { expect, it } from "@jest/globals";
import { nodeFlags } from "./node-flags.ts";

const read = (file: string): string => readFileSync(new URL(`../../../../${file}`, import.meta.url), "utf8");

const megabytes = (name: Parameters<typeof nodeFlags>[0]): string =>
  /=(\d+)/.exec(nodeFlags(name)[0] ?? "")?.[1] ?? "";

it("a release starts each service with the flags that the supervisor starts it with", () => {
  const script = read("deploy/release/bin/kvmgov-service");
  const [, ofClassifier] = /^classifier\) semi_space_mb=(\d+) ;;$/m.exec(script) ?? [];
  const [, ofOthers] = /^\*\) semi_space_mb=(\d+) ;;$/m.exec(script) ?? [];
  expect([ofClassifier, ofOthers, ofOthers]).toEqual([
    megabytes("classifier"),
    megabytes("collector"),
    megabytes("actuator"),
  ]);
});

it("so does an image", () => {
  const [, ofOthers] = /^ARG SEMI_SPACE_MB=(\d+)$/m.exec(read("deploy/images/Dockerfile")) ?? [];
  const [, ofClassifier] =
    /SERVICE: classifier, SEMI_SPACE_MB: "(\d+)"/.exec(read("docker-compose.yml")) ?? [];
  expect([ofClassifier, ofOthers, ofOthers]).toEqual([
    megabytes("classifier"),
    megabytes("collector"),
    megabytes("actuator"),
  ]);
});
