import { execFileSync } from "node:child_process";
import { describe, expect, it } from "@jest/globals";

function loggedLines(code: string): Record<string, unknown>[] {
  const module = new URL("./log.ts", import.meta.url).href;
  const script = `import { createLogger } from ${JSON.stringify(module)}; const log = createLogger("test"); ${code}`;
  return execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const logged = (code: string): Record<string, unknown> => loggedLines(code)[0] ?? {};

describe("createLogger", () => {
  it("writes one JSON line with service, level as a word, and event", () => {
    expect(logged(`log.warn({ event: "nats-away" }, "NATS is away")`)).toMatchObject({
      service: "test",
      level: "warn",
      event: "nats-away",
      msg: "NATS is away",
    });
  });

  it("adds what is asked for as the line is written, and nothing of the line before", () => {
    const lines = loggedLines(`
      const fields = { trace_id: "a" };
      const traced = createLogger("test", "info", () => fields);
      traced.info({ event: "first", guest: "g" }, "one");
      traced.info({ event: "second" }, "two");`);
    expect(lines).toMatchObject([
      { event: "first", guest: "g", trace_id: "a" },
      { event: "second", trace_id: "a" },
    ]);
    expect(lines[1]).not.toHaveProperty("guest");
  });

  it("never logs a secret of the configuration", () => {
    const line = logged(
      `log.info({ config: { natsPassword: "s3cret", redisUrl: "redis://:s3cret@h" } }, "configuration")`,
    );
    expect(JSON.stringify(line)).not.toContain("s3cret");
    expect(line["config"]).toMatchObject({ natsPassword: "(not logged)" });
  });
});
