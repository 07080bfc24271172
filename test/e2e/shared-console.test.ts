/** Two classifiers share a fleet: console, API and command line of either show all of it, live, whoever works a host off. */
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from "@jest/globals";
import type { Page } from "playwright-core";
import { uuidOf } from "../../services/classifier/src/testing/samples.ts";
import { startBrowser } from "../support/browser.ts";
import type { TestBrowser } from "../support/browser.ts";
import { ConsoleFleet, SIXTEEN_CPUS } from "../support/console-fleet.ts";
import { ControlPlane } from "../support/control-plane.ts";
import { runKvmgovWith } from "../support/kvmgov-process.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";
import type { ServiceProcess } from "../support/service-process.ts";

/** That all fall to one of two classifiers happens once in 32,768 starts. */
const HOSTS = Array.from({ length: 16 }, (_, n) => `h${n}`);
const SOLVER = uuidOf(1);
const SETTINGS = { KVMGOV_BETA: "2", KVMGOV_PLAN_TTL_MS: "60000", KVMGOV_SILENCE_MS: "2000" };
const PERIOD_MS = 1000;

jest.setTimeout(120_000);

describeWith(["servers", "browser"], "two classifiers", () => {
  let plane: ControlPlane;
  let browser: TestBrowser;
  let fleet: ConsoleFleet;
  const living: ServiceProcess[] = [];
  const pages: Page[] = [];
  const complaints: string[] = [];
  const play = { solver: 0.1 };
  let running: Promise<void> | undefined;
  let isOver = false;

  beforeAll(async () => {
    plane = await ControlPlane.start();
    living.push(await plane.classifier(SETTINGS), await plane.classifier(SETTINGS));
    await waitFor("two that share", 15_000, async () => {
      const held = await Promise.all(living.map((one) => one.metric("kvmgov_partitions")));
      return held.every((count) => count === 16 || count === 17) || undefined;
    });
    browser = await startBrowser();
    const guests = (id: string) => () => [
      { run: play.solver, vcpus: 4, name: `solver of ${id}` },
      { run: 0.3, vcpus: 2, name: "web" },
    ];
    fleet = new ConsoleFleet(
      plane,
      HOSTS.map((id) => ({ id, name: `${id}.example`, topology: SIXTEEN_CPUS, guests: guests(id) })),
    );
    await fleet.announce();
    running = (async () => {
      for (; !isOver; await new Promise((resolve) => setTimeout(resolve, PERIOD_MS))) await fleet.tick();
    })();
    await waitFor("a plan of each host", 15_000, async () => {
      const plans = await Promise.all(HOSTS.map((id) => plane.plan(id)));
      return plans.every((plan) => plan !== undefined) || undefined;
    });
    for (const id of HOSTS) await fleet.applied(id);
  }, 120_000);
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close();
    expect(complaints.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    isOver = true;
    await running;
    await browser?.[Symbol.asyncDispose]();
    await plane?.stop();
  });

  async function open(one: ServiceProcess, path: string): Promise<Page> {
    const page = await (await browser.browser.newContext()).newPage();
    pages.push(page);
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(`${one.url}${path}`);
    await page.locator("#status[data-state=live]").waitFor({ timeout: 20_000 });
    return page;
  }

  /** Hosts that a classifier works off itself, as its own metrics tell. */
  async function ownHosts(one: ServiceProcess): Promise<string[]> {
    const page = await one.metrics();
    return HOSTS.filter((id) => page.includes(`kvmgov_plan_generation{host="${id}"}`));
  }

  /** A host that the other one works off. */
  async function foreignHost(one: ServiceProcess): Promise<string> {
    const own = await ownHosts(one);
    const [foreign] = HOSTS.filter((id) => !own.includes(id));
    if (foreign === undefined) throw new Error("all hosts fell to one classifier");
    return foreign;
  }

  const kvmgov = (one: ServiceProcess, ...args: string[]) =>
    runKvmgovWith(args, { KVMGOV_CLASSIFIER_URL: one.url });

  it("have each a part of the hosts, none of them twice", async () => {
    const [first, second] = await Promise.all(living.map(ownHosts));
    expect([...(first ?? []), ...(second ?? [])].sort()).toEqual(HOSTS.toSorted());
    expect(Math.min(first?.length ?? 0, second?.length ?? 0)).toBeGreaterThan(0);
  });

  describe.each([0, 1])("the console of classifier %i", (at) => {
    it("shows all hosts live, with nothing missing", async () => {
      const page = await open(living[at] as ServiceProcess, "/console/");
      await waitFor("all hosts live", 15_000, async () => {
        const fresh = await page.locator("#hosts tbody td.sample").allInnerTexts();
        return (fresh.length === HOSTS.length && fresh.every((text) => text === "live")) || undefined;
      });
      expect(await page.locator("#hosts tbody td.services").allInnerTexts()).toEqual(HOSTS.map(() => "2"));
      expect(await page.locator("#hosts tbody td.actuator").allInnerTexts()).toEqual(
        HOSTS.map(() => "in force"),
      );
      expect(await page.locator("#alarms").innerText()).not.toMatch(/not complete|no sample/);
      // Still so after a while of looking.
      await page.waitForTimeout(3000);
      const fresh = await page.locator("#hosts tbody td.sample").allInnerTexts();
      expect(fresh.filter((text) => text !== "live")).toEqual([]);
    });

    it("shows a host of the other one, with the map of its CPUs", async () => {
      const one = living[at] as ServiceProcess;
      const page = await open(one, `/console/host/${await foreignHost(one)}`);
      await page.locator("#guests tbody tr").nth(1).waitFor();
      expect(await page.locator("#map .cpu").count()).toBe(16);
      expect(await page.locator("#banner").isVisible()).toBe(false);
    });
  });

  it("show why a guest of the other one moved, live, with plots and decisions", async () => {
    const [one] = living as [ServiceProcess];
    const host = await foreignHost(one);
    const page = await open(one, `/console/host/${host}/guest/${SOLVER}`);
    await page.getByText(`Guest solver of ${host}`).first().waitFor();
    expect(await page.locator("#facts").innerText()).toContain("LIST_se");
    play.solver = 1;
    await page.locator("#decisions .is-moved").waitFor({ timeout: 20_000 });
    expect(await page.locator("#decisions .is-moved").first().innerText()).toMatch(
      /moved from LIST_se to LIST_sc[^]*crossed it more than beta 2 times/,
    );
    expect(await page.locator(".plot canvas").count()).toBe(5);
    await waitFor("the plot", 10_000, async () => {
      const label = await page.locator(".plot .canvas").first().getAttribute("aria-label");
      return label?.includes("used 100%") || undefined;
    });
    expect(await page.locator("#plots-note").innerText()).toMatch(
      /remembered since \d\d:\d\d:\d\d, when the classifier that works the host off took it/,
    );
    await page.locator("#points-part summary").click();
    await page.locator("#points tbody tr").nth(2).waitFor();
  });

  it("answer the command line in full, each of them", async () => {
    for (const one of living) {
      const host = await foreignHost(one);
      const explained = await kvmgov(one, "explain", `solver of ${host}`);
      expect(explained.code).toBe(0);
      expect(explained.stdout).toMatch(/It is in LIST_sc \(scientific, inferred from its use\)/);
      expect(explained.stdout).toMatch(/Seen in the last period: ran 100% of its vCPUs' time/);
      expect(explained.stdout).toMatch(/moved from LIST_se to LIST_sc \(ran 100%, wanted 100%\)/);
      const { stdout: lists } = await kvmgov(one, "lists");
      expect(lists).not.toMatch(/not complete|no classifier that runs/);
      expect(lists.match(/plan \d+, heard \S+ m?s ago/g)).toHaveLength(HOSTS.length);
      const top = JSON.parse((await kvmgov(one, "top", "--interval", "0.1", "--json")).stdout) as {
        guests: { name: string; usage: number }[];
        problems: string[];
      };
      expect(top.guests.filter(({ name, usage }) => name.startsWith("solver") && usage === 1)).toHaveLength(
        HOSTS.length,
      );
      expect(top.problems.filter((text) => text.includes("not complete"))).toEqual([]);
    }
  });

  it("tell what an actuator of the other one's host would write", async () => {
    const [one] = living as [ServiceProcess];
    const host = await foreignHost(one);
    const write = { guest: SOLVER, target: "vcpu 0", setting: "bandwidth", file: "x/cpu.max" } as const;
    await fleet.applied(host, { dryRun: true, writes: [{ ...write, old: "max", wanted: "40000" }] });
    await waitFor("the dry run", 10_000, async () => {
      const { stdout } = await kvmgov(one, "plan", "--dry-run", "--host", host);
      return /vcpu 0 bandwidth: max -> 40000 \(x\/cpu\.max\)/.test(stdout) || undefined;
    });
    await fleet.applied(host);
  });

  it("count what they ask and answer, and refuse nothing of each other", async () => {
    for (const one of living) {
      const count = async (series: string): Promise<number> => (await one.metric(series)) ?? 0;
      expect(await count('kvmgov_facts_questions_total{kind="fleet",outcome="complete"}')).toBeGreaterThan(0);
      expect(await count('kvmgov_facts_answers_total{kind="fleet",outcome="sent"}')).toBeGreaterThan(0);
      expect(await one.metrics()).not.toMatch(/kvmgov_facts_answers_refused_total\{/);
      expect(await one.metrics()).not.toMatch(
        /kvmgov_facts_answers_total\{[^}]*outcome="(failed|refused|busy)/,
      );
    }
  });

  it("ask nobody while nobody looks", async () => {
    const asked = async (): Promise<number[]> =>
      Promise.all(
        living.map(async (one) => {
          const page = await one.metrics();
          return [...page.matchAll(/^kvmgov_facts_questions_total\{.*\} (\d+)$/gm)].reduce(
            (sum, [, count]) => sum + Number(count),
            0,
          );
        }),
      );
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const before = await asked();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(await asked()).toEqual(before);
  });

  it("say so where the other one hears and does not answer, and do not deny what it may know", async () => {
    const [one, other] = living as [ServiceProcess, ServiceProcess];
    const host = await foreignHost(one);
    // Frozen, it is counted as alive for its silence of two seconds: asked then, it cannot answer within one.
    const lists = await waitFor("an answer that lacks it", 20_000, async () => {
      other.signal("SIGSTOP");
      try {
        const { body } = await one.json(`/api/v1/hosts/${host}`);
        const { missing } = body as { missing: string[] };
        return missing.length > 0 ? body : undefined;
      } finally {
        other.signal("SIGCONT");
      }
    });
    expect(lists).toMatchObject({
      missing: [expect.stringMatching(/^1 of 1 other classifiers \([0-9a-f]{12}\) did not answer within/)],
      // The store's: its report may be there too, where the host was taken over meanwhile.
      lists: { scientific: [SOLVER] },
    });
    await waitFor("both again", 15_000, async () => {
      const held = await Promise.all(living.map((each) => each.metric("kvmgov_partitions")));
      return held.every((count) => count === 16 || count === 17) || undefined;
    });
  });

  it("that one dies leaves all hosts to the other, which says since when it remembers", async () => {
    const [one, other] = living.splice(0, 2) as [ServiceProcess, ServiceProcess];
    living.push(one);
    const host = await foreignHost(one);
    const page = await open(one, "/console/");
    await other.kill();
    const killedAtMs = Date.now();
    await waitFor("all hosts with it", 20_000, async () =>
      (await ownHosts(one)).length === HOSTS.length ? true : undefined,
    );
    await waitFor("all hosts live", 10_000, async () => {
      const fresh = await page.locator("#hosts tbody td.sample").allInnerTexts();
      return (fresh.length === HOSTS.length && fresh.every((text) => text === "live")) || undefined;
    });
    const { body } = await one.json(`/api/v1/hosts/${host}/guests/${SOLVER}`);
    const { knownSinceMs, missing } = body as { knownSinceMs: number; missing: string[] };
    expect(knownSinceMs).toBeGreaterThanOrEqual(killedAtMs);
    expect(missing).toEqual([]);
    // What the dead one did is gone with it, and that is said.
    expect((await kvmgov(one, "explain", `solver of ${host}`)).stdout).toMatch(
      /Decided:\n +nothing since 20\S+ \S+, when its classifier took the host/,
    );
  });
});
