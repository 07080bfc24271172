import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Guest } from "@kvm-governor/linux";
import { Declarations } from "./declarations.ts";

const web = { uuid: "00000000-0000-4000-8000-000000000001", name: "web-1" } as unknown as Guest;

describe("Declarations", () => {
  let dir: string;
  let file: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "kvmgov-rules-"));
    file = join(dir, "policy.yaml");
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it("looks a guest up again after the file was read again", () => {
    writeFileSync(file, "rules:\n  - match: { name: web-* }\n    class: service\n");
    const declarations = new Declarations(file);
    expect(declarations.of(web).class).toBe("service");
    writeFileSync(file, "rules:\n  - match: { name: web-* }\n    class: exempt\n");
    expect(declarations.of(web).class).toBe("service");
    expect(declarations.reload()).toBeUndefined();
    expect(declarations.of(web).class).toBe("exempt");
  });

  it("keeps the old rules where the new ones are invalid, and says what is wrong where", () => {
    writeFileSync(file, "rules:\n  - match: { name: web-* }\n    class: service\n");
    const declarations = new Declarations(file);
    writeFileSync(file, "rules:\n  - match: { name: web-* }\n    clas: exempt\n");
    expect(declarations.reload()?.message).toMatch(/policy\.yaml:3: .*unknown key "clas"/);
    expect([declarations.of(web).class, declarations.count]).toEqual(["service", 1]);
  });

  it("does not start with rules that are invalid, and needs none", () => {
    writeFileSync(file, "rulez: []\n");
    expect(() => new Declarations(file)).toThrow(/unknown key "rulez"/);
    expect(new Declarations(undefined).of(web)).toEqual({ class: "auto" });
  });
});
