import { execFileSync } from "node:child_process";
import { describe, expect, it } from "@jest/globals";

function logged(code: string): Record<string, unknown> {
  const module = new URL("./log.ts", import.meta.url).href;
  const script = `import { createLogger } from ${JSON.stringify(module)}; const log = createLogger("test"); ${code}`;
  return JSON.parse(
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }),
  ) as Record<string, unknown>;
}

describe("createLogger", () => {
  it("writes one JSON line with service, level as a word, and event", () => {
    expect(logged(`log.warn({ event: "nats-away" }, "NATS is away")`)).toMatchObject({
      service: "test",
      level: "warn",
      event: "nats-away",
      msg: "NATS is away",
    });
  });

  it("never logs a secret of the configuration", () => {
    const line = logged(
      `log.info({ config: { natsPassword: "s3cret", redisUrl: "redis://:s3cret@h" } }, "configuration")`,
    );
    expect(JSON.stringify(line)).not.toContain("s3cret");
    expect(line["config"]).toMatchObject({ natsPassword: "(not logged)" });
  });
});
