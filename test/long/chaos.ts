/**
 * The chaos test in its long form: `npm run test:chaos -- [--seed N] [--minutes N] [--kinds "kill nats,cut hosts"] [--loopback] [--dry]`;
 * writes docs/chaos-test.md, unless it is dry or of some kinds only. As root in network namespaces; else, or with --loopback, without cuts.
 */
import { writeFileSync } from "node:fs";
import os from "node:os";
import { parseArgs } from "node:util";
import { Chaos } from "../chaos/chaos.ts";
import type { ChaosReport } from "../chaos/chaos.ts";
import type { FaultKind } from "../chaos/faults.ts";
import { chaosPage, lossOf } from "../chaos/page.ts";
import { recoveryRows } from "../chaos/recovery.ts";
import { endless, kindsFor } from "../chaos/schedule.ts";
import { Seeded } from "../support/seeded.ts";

const PERIOD_MS = 1000;
const PLAN_TTL_MS = 10_000;
const BETA = 3;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    minutes: { type: "string", default: "10" },
    kinds: { type: "string" },
    loopback: { type: "boolean", default: false },
    dry: { type: "boolean", default: false },
    warnings: { type: "boolean", default: false },
  },
});
const seed = Number(values.seed);
const minutes = Number(values.minutes);
if (!Number.isInteger(seed) || seed < 0 || !(minutes > 0))
  throw new RangeError("--seed must be a whole number, --minutes a positive one");
const isNamespaced = !values.loopback && process.getuid?.() === 0;
const known = kindsFor(isNamespaced);
const kinds = values.kinds?.split(",").map((text) => kindOf(text.trim())) ?? known;
const date = new Date();
const [load = 0] = os.loadavg();
const startedMs = performance.now();
const seconds = (): number => (performance.now() - startedMs) / 1000;

const report = await run();
if (!values.dry && values.kinds === undefined) {
  const facts = {
    report,
    seed,
    minutes,
    periodMs: PERIOD_MS,
    planTtlMs: PLAN_TTL_MS,
    date,
    isNamespaced,
    load,
  };
  const page = chaosPage({ ...facts, seconds: seconds() });
  writeFileSync(new URL("../../docs/chaos-test.md", import.meta.url), page);
}
const { violations, recoveries, lost, ...counts } = report;
const recovery = recoveryRows(recoveries, PERIOD_MS);
console.log(JSON.stringify({ seed, violations, recovery, lost: lossOf(lost), ...counts }));
process.exitCode = violations.length === 0 ? 0 : 1;

async function run(): Promise<ChaosReport> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const log = (line: string): void => console.log(`${seconds().toFixed(1).padStart(6)} s  ${line}`);
  const chaos = new Chaos({
    seed,
    periodMs: PERIOD_MS,
    planTtlMs: PLAN_TTL_MS,
    beta: BETA,
    isNamespaced,
    log,
  });
  try {
    await chaos.begin();
    for (const step of endless(kinds, new Seeded(seed))) {
      if (stop.signal.aborted || seconds() > minutes * 60) break;
      await chaos.step(step);
    }
    return await chaos.end();
  } finally {
    if (values.warnings) for (const line of chaos.warnings) log(line);
    await chaos.close();
  }
}

function kindOf(text: string): FaultKind {
  const kind = known.find((each) => each === text);
  if (kind === undefined) throw new RangeError(`--kinds: ${text} is none of ${known.join(", ")}`);
  return kind;
}
