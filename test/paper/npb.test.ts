/** The kernels bear NPB's names only as long as they reproduce NPB's published values. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describeWith } from "../support/requirements.ts";
import { KERNELS, type Kernel, KernelError, compileKernels, parseRun, runKernel } from "./npb.ts";

const sources = fileURLToPath(new URL("kernels", import.meta.url));

/** A small fault for each kernel: wrong in the sixth digit or in one thread's part. */
const FAULTS: Record<Kernel, { file: string; right: string; wrong: string }> = {
  EP: { file: "ep.c", right: "sqrt(-2.0 * log(t) / t)", wrong: "sqrt(-2.000001 * log(t) / t)" },
  CG: { file: "cg_matrix.c", right: "put(&vector, own, 0.5)", wrong: "put(&vector, own, 0.500001)" },
  MG: { file: "mg.c", right: "1.0 / 32.0", wrong: "1.000001 / 32.0" },
  FT: { file: "ft.c", right: "ALPHA = 1e-6", wrong: "ALPHA = 1.000001e-6" },
  IS: {
    file: "is.c",
    right: "for (int t = 0; t < thread; t++) below",
    wrong: "for (int t = 1; t < thread; t++) below",
  },
  LU: { file: "lu.h", right: "DISSIPATION = 0.25", wrong: "DISSIPATION = 0.250001" },
};

describeWith(["openmp"], "the kernels", () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "kvmgov-npb-"));
    await compileKernels(path.join(dir, "npb"));
  }, 120_000);
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test.each(KERNELS)(
    "%s reproduces NPB's published values for class S with 1, 2 and 3 threads",
    async (kernel) => {
      for (const threads of [1, 2, 3]) {
        const run = await runKernel(path.join(dir, "npb"), kernel, "S", threads);
        expect(run).toMatchObject({ kernel, class: "S", threads, verified: true });
        expect(run.seconds).toBeGreaterThan(0);
      }
    },
    60_000,
  );

  test("verification catches a small fault in each kernel", async () => {
    const copy = path.join(dir, "faulty");
    await cp(sources, copy, { recursive: true });
    for (const { file, right, wrong } of Object.values(FAULTS)) {
      const text = await readFile(path.join(copy, file), "utf8");
      expect(text.split(right)).toHaveLength(2);
      await writeFile(path.join(copy, file), text.replace(right, wrong));
    }
    const program = path.join(dir, "faulty-npb");
    await compileKernels(program, { sources: copy });
    for (const kernel of KERNELS) {
      const run = await runKernel(program, kernel, "S", 2);
      expect({ kernel, verified: run.verified }).toEqual({ kernel, verified: false });
    }
  }, 120_000);

  test("repetitions in one run are alike", async () => {
    for (const kernel of KERNELS) {
      const run = await runKernel(path.join(dir, "npb"), kernel, "S", 2, 2);
      expect(run).toMatchObject({ kernel, repeats: 2, verified: true });
    }
  }, 60_000);

  test("a class that it does not have is refused by name", async () => {
    const run = runKernel(path.join(dir, "npb"), "EP", "D" as never, 1);
    await expect(run).rejects.toThrow("no kernel EP of class D");
  });
});

test("a report that is not one is refused, naming what is wrong", () => {
  expect(() => parseRun("Segmentation fault")).toThrow(KernelError);
  const report = { kernel: "EP", class: "S", threads: 2, repeats: 1, seconds: 1, verified: true, error: 0 };
  expect(parseRun(JSON.stringify(report))).toEqual(report);
  expect(() => parseRun(JSON.stringify({ ...report, verified: "yes" }))).toThrow("no good verified");
  expect(() => parseRun(JSON.stringify({ ...report, seconds: undefined }))).toThrow("no good seconds");
});
