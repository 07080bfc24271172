/** Every processor that we run on has all that it needs; every other is refused by name. */
import { expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import path from "node:path";
import { SYSCALL_NUMBERS } from "../../packages/linux/src/native/syscalls.ts";
import { ARCHITECTURES, architecture } from "../../scripts/lib/architecture.js";
import { platformPackages } from "../../scripts/release/platform.js";
import { repository } from "../support/deployed.ts";

const lock = JSON.parse(readFileSync(path.join(repository, "package-lock.json"), "utf8")) as {
  packages: Record<string, { integrity?: string; cpu?: string | string[] } | undefined>;
};

test("system calls have numbers for each of them", () => {
  expect(Object.keys(SYSCALL_NUMBERS).sort()).toEqual(Object.keys(ARCHITECTURES).sort());
});

test.each(Object.keys(ARCHITECTURES))(
  "%s: its Node and its koffi are in package-lock.json, with checksums",
  (name) => {
    for (const packageName of Object.values(platformPackages(name))) {
      const entry = lock.packages[`node_modules/${packageName}`];
      expect({ packageName, entry }).toMatchObject({
        entry: { integrity: expect.stringMatching(/^sha512-/) },
      });
      expect([entry?.cpu].flat()).toEqual([name]);
    }
  },
);

test.each(["riscv64", "ia32", "constructor"])("%s is refused by name", (name) => {
  expect(() => architecture(name)).toThrow(`kvm-governor runs on x64 and arm64, not on ${name}`);
  expect(() => platformPackages(name)).toThrow(`not on ${name}`);
});
