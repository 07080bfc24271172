/** The rules in deploy/prometheus/rules: accepted, tried by cases in test/rules, documented, on metrics that exist. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { ensureTools } from "@kvm-governor/lab";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { readDeployed, repository } from "../support/deployed.ts";
import { describeWith } from "../support/requirements.ts";

const RULES = "deploy/prometheus/rules";
const CASES = "test/rules";
const RUNBOOKS = "docs/runbooks";

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

interface Case {
  expr: string;
  exp_samples: unknown[];
}

describeWith(["prometheus"], "recording rules and alerts", () => {
  let dir: string;
  let rules: Rule[];
  let cases: Case[];

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), `kvmgov-rules-${process.pid}-`));
    const files = await Promise.all((await filesIn(RULES)).map(readDeployed));
    rules = files.flatMap((text) =>
      (parse(text) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules),
    );
    const texts = await Promise.all((await filesIn(CASES)).map(readDeployed));
    cases = texts.flatMap((text) =>
      (parse(text) as { tests: { promql_expr_test: Case[] }[] }).tests.flatMap(
        (test) => test.promql_expr_test,
      ),
    );
  }, 60_000);

  afterAll(() => rm(dir, { recursive: true, force: true }));

  const alerts = (): Rule[] => rules.filter(({ alert }) => alert !== undefined);
  const alertNames = (): string[] => [...new Set(alerts().map(({ alert }) => alert ?? ""))].sort();
  const casesOf = (alert: string): Case[] => cases.filter(({ expr }) => expr.includes(`"${alert}"`));

  /** A copy of rules and cases in which every alert's expression is another one. */
  async function casesWith(expression: string): Promise<string> {
    const copy = await mkdtemp(path.join(dir, "planted-"));
    await cp(path.join(repository, RULES), path.join(copy, RULES), { recursive: true });
    await cp(path.join(repository, CASES), path.join(copy, CASES), { recursive: true });
    const file = path.join(copy, RULES, "alerts.yml");
    const document = parse(await readFile(file, "utf8")) as { groups: { rules: Rule[] }[] };
    for (const group of document.groups) for (const rule of group.rules) rule.expr = expression;
    await writeFile(file, JSON.stringify(document));
    const { output } = await promtool(["test", "rules", ...(await filesIn(CASES))], copy);
    return output;
  }

  it("are accepted by promtool", async () => {
    expect(await promtool(["check", "rules", ...(await filesIn(RULES))])).toMatchObject({ code: 0 });
  });

  it("do in every case what the case says", async () => {
    expect(await promtool(["test", "rules", ...(await filesIn(CASES))])).toMatchObject({ code: 0 });
  }, 60_000);

  it("have for every alert a case that fires and one that does not", () => {
    for (const alert of alertNames()) {
      const firing = casesOf(alert).filter(({ exp_samples }) => exp_samples.length > 0);
      const silent = casesOf(alert).filter(({ exp_samples }) => exp_samples.length === 0);
      expect({ alert, fires: firing.length > 0, isSilent: silent.length > 0 }).toEqual({
        alert,
        fires: true,
        isSilent: true,
      });
    }
  });

  it("have cases that fail when an alert never fires, and when it always does", async () => {
    const never = await casesWith("vector(1) > 2");
    const always = await casesWith("vector(1)");
    for (const alert of alertNames()) {
      expect({ alert, never: never.includes(alert), always: always.includes(alert) }).toEqual({
        alert,
        never: true,
        always: true,
      });
    }
  }, 60_000);

  it("have for every alert a severity, a summary and a runbook", async () => {
    for (const { alert, labels, annotations } of alerts()) {
      expect(["info", "warning", "critical"]).toContain(labels?.["severity"]);
      expect(annotations?.["summary"]).toMatch(/\S/);
      expect(annotations?.["runbook_url"]).toBe(`${RUNBOOKS}/${alert}.md`);
      const runbook = await readDeployed(`${RUNBOOKS}/${alert}.md`);
      expect(runbook).toMatch(
        /^# Kvmgov.*\n\n\S.*[\s\S]*\n## How to see it\n\n- [\s\S]*\n## What to do\n\n- /,
      );
    }
    const pages = (await readdir(path.join(repository, RUNBOOKS))).filter((name) => name !== "README.md");
    expect(pages.sort()).toEqual(alertNames().map((name) => `${name}.md`));
  });

  it("stand on metrics and records that exist", async () => {
    const families = familiesOf(await readDeployed("docs/metrics.md"));
    const known = new Set([...families, ...rules.flatMap(({ record }) => record ?? [])]);
    const texts = rules.flatMap(({ expr, annotations }) => [String(expr), annotations?.["summary"] ?? ""]);
    const runbooks = await Promise.all((await filesIn(RUNBOOKS)).map(readDeployed));
    const unknown = (text: string): string[] => namesIn(text).filter((name) => !known.has(name));
    expect(unknown("kvmgov_planted_total + kvmgov:planted:rate5m")).toHaveLength(2);
    expect([...texts, ...runbooks].flatMap(unknown)).toEqual([]);
  });

  it("use every threshold, and none that is not there", () => {
    const thresholds = rules.flatMap(({ record }) =>
      record?.startsWith("kvmgov:threshold:") ? [record] : [],
    );
    const used = alerts().flatMap(({ expr }) => expr.match(/kvmgov:threshold:\w+/g) ?? []);
    expect([...new Set(used)].sort()).toEqual(thresholds.sort());
  });
});

async function filesIn(dir: string): Promise<string[]> {
  const names = await readdir(path.join(repository, dir));
  return names.sort().map((name) => `${dir}/${name}`);
}

function familiesOf(page: string): string[] {
  return [...page.matchAll(/^\| `(kvmgov_\w+)` +\| (\w+)/gm)].flatMap(([, name = "", type]) =>
    type === "histogram" ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
}

/** Names of metrics and records in an expression or a page. */
function namesIn(text: string): string[] {
  return text.match(/\bkvmgov(_[a-z0-9_]+|:[a-z0-9_:]+[a-z0-9])/g) ?? [];
}

async function promtool(args: string[], cwd: string = repository): Promise<{ code: number; output: string }> {
  const program = (await ensureTools(["prometheus"])).find("promtool");
  return new Promise((resolve) => {
    execFile(program.path, [...program.args, ...args], { env: program.env, cwd }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr });
    });
  });
}
