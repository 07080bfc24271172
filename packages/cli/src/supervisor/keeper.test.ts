import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "@jest/globals";
import { Child } from "./child.ts";
import { Keeper } from "./keeper.ts";

const children: Child[] = [];
const node = (code: string): Child => {
  const child = new Child("test", process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  return child;
};
const forever = "setInterval(() => {}, 1000)";

afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.stop(0)));
});

describe("Child", () => {
  it("hands over whole lines, however they arrive", async () => {
    const lines: string[] = [];
    const child = node(
      `process.stdout.write("a\\nb"); setTimeout(() => process.stdout.write("c\\n\\nd\\n"), 50)`,
    );
    child.onLine((line) => lines.push(line));
    await child.exited;
    await new Promise((resolve) => setImmediate(resolve));
    expect(lines).toEqual(["a", "bc", "d"]);
  });

  it("says how the process ended", async () => {
    expect(await node("process.exit(3)").exited).toEqual({ code: 3, signal: null });
    const child = node(forever);
    expect(await child.stop(5000)).toEqual({ code: null, signal: "SIGTERM" });
  });

  it("ends a process that is frozen", async () => {
    const child = node(forever);
    child.kill("SIGSTOP");
    // A signal that ends it, and arrives before it stands still, ends it at once.
    while (!readFileSync(`/proc/${child.pid}/stat`, "utf8").includes(") T ")) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await child.stop(100)).toEqual({ code: null, signal: "SIGKILL" });
  });

  it("reports a program that cannot be started as an end", async () => {
    expect((await new Child("absent", "/nonexistent", [], {}).exited).code).toBe(127);
  });
});

describe("Keeper", () => {
  function keeper(code: string): { keeper: Keeper; log: string[]; gaveUp: Promise<string> } {
    const log: string[] = [];
    let giveUp: (reason: string) => void = () => undefined;
    const gaveUp = new Promise<string>((resolve) => (giveUp = resolve));
    return {
      log,
      gaveUp,
      keeper: new Keeper({
        name: "test",
        backoffMsMin: 1,
        start: () => {
          log.push("start");
          return node(code);
        },
        beforeRestart: async () => void log.push("mend"),
        onEnd: (exit) => log.push(`end ${exit.code ?? exit.signal}`),
        onGiveUp: giveUp,
      }),
    };
  }

  it("mends, then starts again, and gives up on a service that cannot stay up", async () => {
    const { log, gaveUp } = keeper("process.exit(1)");
    expect(await gaveUp).toMatch(/test ended 5 times/);
    expect(log.filter((line) => line === "start")).toHaveLength(5);
    expect(log.slice(0, 4)).toEqual(["start", "end 1", "mend", "start"]);
    expect(log.at(-1)).toBe("mend");
  });

  it("starts a killed service again", async () => {
    const { keeper: kept, log } = keeper(forever);
    kept.child.kill("SIGKILL");
    while (log.filter((line) => line === "start").length < 2)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(kept.child.running).toBe(true);
    await kept.stop();
    expect(log).toEqual(["start", "end SIGKILL", "mend", "start"]);
  });

  it("does not start again what was stopped", async () => {
    const { keeper: kept, log } = keeper(forever);
    await kept.stop();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(log).toEqual(["start"]);
  });
});
