/** Known vulnerabilities in what we release, as the registry's audit knows them; skipped where the registry does not answer that. */
import { execFile } from "node:child_process";
import { expect, test } from "@jest/globals";
import { repository } from "../support/deployed.ts";

const TIMEOUT_MS = 60_000;

interface Audit {
  error?: { summary?: string; detail?: string; code?: string };
  message?: string;
  metadata?: {
    vulnerabilities: Record<"moderate" | "high" | "critical", number>;
    dependencies: { prod: number };
  };
  vulnerabilities?: Record<string, { severity: string }>;
}

/** Of the lock file alone: nothing is installed. */
function audit(): Promise<Audit> {
  const args = ["audit", "--omit=dev", "--package-lock-only", "--audit=true", "--json"];
  return new Promise((resolve) => {
    execFile("npm", args, { cwd: repository, timeout: TIMEOUT_MS }, (error, stdout) => {
      // It exits with 1 where it found something, too: what it printed says which.
      try {
        resolve(JSON.parse(stdout) as Audit);
      } catch (cause) {
        resolve({ message: error?.message ?? String(cause) });
      }
    });
  });
}

const found = await audit();
const why = firstLine(found.error?.summary || found.message);
const reason = found.metadata === undefined ? `the registry does not answer the audit (${why})` : undefined;

const name = "no package that we release has a known vulnerability of moderate severity or above";
if (reason !== undefined) test.skip(`${name} — skipped: ${reason}`, () => undefined);
else
  test(name, () => {
    expect(found.metadata?.dependencies.prod).toBeGreaterThan(50);
    const bad = Object.entries(found.vulnerabilities ?? {}).filter(([, { severity }]) =>
      ["moderate", "high", "critical"].includes(severity),
    );
    expect(bad.map(([packageName, { severity }]) => `${packageName}: ${severity}`)).toEqual([]);
  });

/** Without what may name the registry. */
function firstLine(text = "no answer"): string {
  return text.split("\n")[0]?.replace(/https?:\S+/g, "its address") ?? text;
}
