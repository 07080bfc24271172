import { describe, expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Writable } from "node:stream";
import { printed, surviveLostOutput } from "./output.ts";

const OUTPUT = fileURLToPath(new URL("output.ts", import.meta.url));

/** Every write fails. */
const failing = (code: string): Writable =>
  new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })) });

describe("output that is lost", () => {
  it("is survived, and counts as a failure unless its reader has seen enough", async () => {
    let failures = 0;
    const [pipe, disk, other] = [failing("EPIPE"), failing("ENOSPC"), failing("EIO")];
    surviveLostOutput([pipe, disk, other], () => failures++);
    expect(await printed(["a"], pipe)).toBe(false);
    expect(failures).toBe(0);
    expect(await printed(["a"], disk)).toBe(false);
    expect(await printed(["a"], other)).toBe(false);
    expect(failures).toBe(1);
  });

  it("lets a process whose reader is gone do what it has to do, in order", async () => {
    // It writes until nobody takes it, and tells on standard error how it went on.
    const program = `
      const { surviveLostOutput, printed } = await import(${JSON.stringify(OUTPUT)});
      surviveLostOutput();
      while (await printed(["x".repeat(1000)]));
      process.stdout.write("lost\\n");
      setTimeout(() => process.stderr.write("went on"), 50);
    `;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (text) => (said += String(text)));
    child.stdout.once("data", () => child.stdout.destroy());
    const [code] = (await once(child, "close")) as [number];
    expect([code, said]).toEqual([0, "went on"]);
  });
});
