/** The console in a real Chromium, served by a real classifier on real NATS and Redis. */
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { hashSync } from "bcryptjs";
import type { BrowserContextOptions, Page } from "playwright-core";
import { startBrowser } from "../support/browser.ts";
import type { TestBrowser } from "../support/browser.ts";
import { ConsoleFleet, SIXTEEN_CPUS } from "../support/console-fleet.ts";
import { ControlPlane } from "../support/control-plane.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";
import type { ServiceProcess } from "../support/service-process.ts";
import { uuidOf } from "../../services/classifier/src/testing/samples.ts";

const HOSTILE = `<img src=x onerror="window.attacked=1">\u202e`;
const SHOWN = `<img src=x onerror="window.attacked=1">\\u202e`;
const SOLVER = uuidOf(1);
const MANY = 500;
const sla = { class: "service", slaCores: 1.5, source: "metadata" } as const;
const SETTINGS = { KVMGOV_BETA: "2", KVMGOV_PLAN_TTL_MS: "60000" };

jest.setTimeout(90_000);

describeWith(["servers", "browser"], "console", () => {
  let plane: ControlPlane;
  let classifier: ServiceProcess;
  let browser: TestBrowser;
  let fleet: ConsoleFleet;
  /** What the solver runs, and how many of the many guests run otherwise than before. */
  const play = { solver: 0.1, changing: 0, manyName: "" };
  const opened: Page[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    plane = await ControlPlane.start();
    classifier = await plane.classifier(SETTINGS);
    browser = await startBrowser();
    const few = () => [
      { run: play.solver, vcpus: 4, name: "solver" },
      { run: 0.3, vcpus: 2, name: "web", declared: sla },
      { run: 0.2, name: HOSTILE },
      { run: 0.9, name: "rt", exemptReason: "realtime" as const },
    ];
    const many = (tick: number) =>
      Array.from({ length: MANY }, (_, n) => ({
        run: n < play.changing ? (tick % 9) / 10 : 0.25,
        name: `${play.manyName}guest ${n}`,
      }));
    fleet = new ConsoleFleet(plane, [
      { id: "h1", name: "node-1.example", topology: SIXTEEN_CPUS, guests: few },
      {
        id: "h2",
        name: HOSTILE,
        topology: SIXTEEN_CPUS,
        guests: () => [],
        unreadable: [{ name: HOSTILE, reason: `<script>window.attacked=1</script>` }],
      },
      { id: "big", name: "big.example", topology: SIXTEEN_CPUS, guests: many },
    ]);
    await fleet.announce();
    await ticks(1);
  }, 120_000);
  afterEach(async () => {
    for (const page of opened.splice(0)) await page.context().close();
    expect(complaints.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await browser[Symbol.asyncDispose]();
    await plane.stop();
  });

  async function ticks(count: number, only?: readonly string[]): Promise<void> {
    for (let i = 0; i < count; i++) await fleet.tick(only);
    for (const id of only ?? ["h1", "h2", "big"]) await fleet.applied(id);
  }

  async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    opened.push(page);
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => {
      const isConnection = /Failed to load resource|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE/.test(
        message.text(),
      );
      if (message.type() === "error" && !isConnection) complaints.push(message.text());
    });
    await page.goto(`${classifier.url}${path}`);
    await page
      .locator("#status[data-state=live], #status[data-state=old], #status[data-state=lost]")
      .waitFor();
    return page;
  }

  const PAGES = ["/console/", "/console/host/h1", `/console/host/h1/guest/${SOLVER}`] as const;
  const statusIs = (page: Page, state: string): Promise<void> =>
    page.locator(`#status[data-state=${state}]`).waitFor({ timeout: 20_000 });

  /** The page is served. Its samples may be old: this fleet is silent between ticks, and each classifier shows all of it. */
  const isServed = (page: Page): Promise<void> =>
    page.locator("#status[data-state=live], #status[data-state=old]").waitFor({ timeout: 20_000 });

  describe("shows", () => {
    it("text that is really drawn", async () => {
      const page = await open("/console/");
      // Without a font, or with one that has no letters, all letters are drawn alike: as nothing, or as the same box.
      const pictures: Buffer[] = [];
      for (const text of ["", "iiii", "WWWW", "äöü", "◆■●▲✖"]) {
        await page.evaluate(`document.querySelector("h1").textContent = ${JSON.stringify(text)}`);
        pictures.push(await page.screenshot({ clip: { x: 0, y: 50, width: 300, height: 60 } }));
      }
      const different = new Set(pictures.map((picture) => picture.toString("base64")));
      expect(different.size).toBe(pictures.length);
    });

    it("the fleet: hosts with capacity, idle, classes and alarms", async () => {
      const page = await open("/console/");
      const row = page.locator("#hosts tr[data-key=h1]");
      await row.waitFor();
      expect(await row.locator("td.cpus").innerText()).toBe("16");
      expect(await row.locator("td.services").innerText()).toBe("3");
      expect(Number(await row.locator("td.idle").innerText())).toBeGreaterThan(10);
      await fleet.applied("h1", { switchFired: "expired" });
      await page.getByText("the dead-man's switch fired").waitFor();
      await fleet.applied("h1");
      await page.getByText("the dead-man's switch fired").waitFor({ state: "detached" });
    });

    it("why a guest moved, live, without a reload", async () => {
      const page = await open(`/console/host/h1/guest/${SOLVER}`);
      await page.evaluate("window.sameDocument = true");
      expect(await page.locator("#facts").innerText()).toContain("LIST_se");
      play.solver = 1;
      await ticks(4, ["h1"]);
      await page.locator("#decisions .is-moved").waitFor();
      expect(await page.locator("#decisions .is-moved").first().innerText()).toMatch(
        /moved from LIST_se to LIST_sc[^]*used 1\.00 of its vCPUs, at or above alpha 0\.7, and crossed it more than beta 2 times/,
      );
      expect(await page.locator("#facts").innerText()).toContain("LIST_sc");
      expect(await page.locator(".plot canvas").count()).toBe(5);
      expect(await page.locator(".plot .canvas").first().getAttribute("aria-label")).toContain("used 100%");
      expect(await page.evaluate("window.sameDocument")).toBe(true);
    });

    it("who runs on which CPU", async () => {
      const page = await open("/console/host/h1");
      await page.locator("#map .is-scientific").first().waitFor();
      expect(await page.locator("#map .cpu").count()).toBe(16);
      expect(await page.locator("#map .is-scientific").count()).toBe(4);
      expect(await page.locator("#map .is-scientific a").first().innerText()).toMatch(/^solver ·\d/);
      await page.locator("#map-table-part summary").click();
      expect(await page.locator("#map-table tbody tr").count()).toBe(16);
    });

    it("names and reasons of tenants as text, and nothing else", async () => {
      for (const path of [
        "/console/",
        "/console/host/h1",
        `/console/host/h1/guest/${uuidOf(3)}`,
        "/console/host/h2",
      ]) {
        const page = await open(path);
        await page.getByText(SHOWN).first().waitFor();
        expect(await page.evaluate("window.attacked")).toBeUndefined();
        expect(await page.locator("main img, main script").count()).toBe(0);
      }
      // Were a name taken for markup, the page would run it: the policy alone keeps inline code out.
      const page = await open("/console/host/h2");
      const isKept = await page.evaluate<boolean>(`(() => {
        try { document.querySelector("main").innerHTML = "<p>x"; return false } catch (error) { return error instanceof TypeError }
      })()`);
      expect(isKept).toBe(true);
      complaints.splice(0);
    });
  });

  describe("is usable", () => {
    const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    const violations = (page: Page): Promise<{ id: string; nodes: string[] }[]> =>
      page.evaluate(
        `axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html) })))`,
      );

    it.each(PAGES.flatMap((path) => (["light", "dark"] as const).map((scheme) => [path, scheme] as const)))(
      "%s in %s: axe finds nothing, on a desktop and on a phone",
      async (path, colorScheme) => {
        for (const viewport of [
          { width: 1280, height: 900 },
          { width: 390, height: 844 },
        ]) {
          // axe itself makes functions of text, which the policy of the page forbids.
          const page = await open(path, { colorScheme, viewport, bypassCSP: true });
          for (const summary of await page.locator("summary").all()) await summary.click();
          await page.evaluate(axe);
          expect(await violations(page)).toEqual([]);
          expect(
            await page.evaluate("document.documentElement.scrollWidth - innerWidth"),
          ).toBeLessThanOrEqual(0);
        }
        // The check itself can fail.
        const page = opened.at(-1)!;
        await page
          .evaluate("document.querySelector('h1').innerHTML = '<img src=data:,>'")
          .catch(() => undefined);
        await page.evaluate("document.querySelector('main').append(document.createElement('img'))");
        expect((await violations(page)).map(({ id }) => id)).toContain("image-alt");
        complaints.splice(0);
      },
    );

    it("by keyboard: skip link, filter, sort, and a way to each guest, with a focus that is seen", async () => {
      const page = await open("/console/host/h1");
      const focused = (what: string): Promise<string> =>
        page.evaluate<string>(`document.activeElement.${what}`);
      await page.keyboard.press("Tab");
      expect(await focused("className")).toBe("skip");
      expect(await page.locator(".skip").boundingBox()).toMatchObject({ y: expect.any(Number) });
      expect((await page.locator(".skip").boundingBox())!.y).toBeGreaterThanOrEqual(0);
      await page.keyboard.press("Enter");
      expect(await focused("id")).toBe("main");
      const reached: string[] = [];
      for (let i = 0; i < 60 && !reached.some((name) => name.includes("web")); i++) {
        await page.keyboard.press("Tab");
        const outline = await page.evaluate<string>(
          `(() => { const e = document.activeElement; const of = (x) => getComputedStyle(x).outlineStyle; return of(e) === "none" && e.nextElementSibling ? of(e.nextElementSibling) : of(e) })()`,
        );
        expect(outline).not.toBe("none");
        reached.push(
          (await focused("textContent")).slice(0, 40) || (await focused("name")) || (await focused("type")),
        );
      }
      expect(reached).toEqual(expect.arrayContaining(["class", "search", "web"]));
      const used = page.locator("#guests th.usage button");
      await used.focus();
      await page.keyboard.press("Enter");
      expect(await page.locator("#guests th.usage").first().getAttribute("aria-sort")).toBe("descending");
      expect(await page.locator("#guests tbody tr").first().innerText()).toContain("solver");
      await page.locator("#guests-tools input[type=search]").fill("web");
      expect(await page.locator("#guests tbody tr:visible").count()).toBe(1);
      await page.locator("#guests tbody tr:visible a").focus();
      await page.keyboard.press("Enter");
      await page.waitForURL(/guest/);
    });
  });

  describe("with 500 guests", () => {
    /** Counts from now on: changes below the table, and tasks of more than 50 ms. */
    const count = (page: Page): Promise<void> =>
      page.evaluate(`{
        window.counted = { mutations: 0, rows: new Set(), long: 0 };
        const observer = new MutationObserver((records) => {
          for (const { target } of records) {
            const row = (target.nodeType === 1 ? target : target.parentElement).closest("tr");
            window.counted.mutations += 1;
            if (row !== null) window.counted.rows.add(row.dataset.key);
          }
        });
        observer.observe(document.getElementById("guests"), { subtree: true, childList: true, characterData: true, attributes: true });
        new PerformanceObserver((list) => { window.counted.long += list.getEntries().length }).observe({ type: "longtask" });
      }`);
    const counted = (page: Page): Promise<{ mutations: number; rows: number; long: number }> =>
      page.evaluate("({ ...window.counted, rows: window.counted.rows.size })");
    /** Until the page has seen so many updates. */
    async function play500(page: Page, changing: number, updates: number): Promise<void> {
      for (let i = 0; i < updates; i++) {
        play.changing = changing;
        const text = await page.locator(`#guests tr[data-key="${uuidOf(1)}"] td.usage`).innerText();
        await ticks(1, ["big"]);
        await waitFor("an update", 10_000, async () =>
          (await page.locator(`#guests tr[data-key="${uuidOf(1)}"] td.usage`).innerText()) !== text
            ? true
            : undefined,
        );
      }
    }

    it("touches the cells that changed, and no others", async () => {
      const page = await open("/console/host/big");
      await page
        .locator("#guests tbody tr")
        .nth(MANY - 1)
        .waitFor();
      await play500(page, 5, 1);
      await count(page);
      await play500(page, 5, 5);
      const few = await counted(page);
      console.info(`5 of 500 guests change, 5 updates: ${JSON.stringify(few)}`);
      expect(few.rows).toBe(5);
      // Used and wanted of each: a text and the bar behind it.
      expect(few.mutations).toBeLessThanOrEqual(5 * 5 * 2 * 2 + 5 * 5);
      await count(page);
      await play500(page, MANY, 3);
      const all = await counted(page);
      console.info(`all of 500 guests change, 3 updates: ${JSON.stringify(all)}`);
      expect(all.rows).toBe(MANY);
      expect(all.mutations).toBeGreaterThan(3 * MANY);
      // Not every update of all rows may hold the page up, even on a busy machine.
      expect(few.long).toBeLessThan(5);
    });
  });

  describe("on a bad connection", () => {
    it("says since when there is no sample", async () => {
      const page = await open("/console/host/h2");
      await ticks(1, ["h2"]);
      await statusIs(page, "live");
      await statusIs(page, "old");
      expect(await page.locator("#banner").innerText()).toMatch(/^No sample since \d\d:\d\d:\d\d\./);
      await ticks(1, ["h2"]);
      await statusIs(page, "live");
      expect(await page.locator("#banner").isVisible()).toBe(false);
    });

    it("cuts off a reader that takes nothing", async () => {
      const before = (await classifier.metric("process_resident_memory_bytes")) ?? 0;
      const { hostname, port } = new URL(classifier.url);
      const socket = connect(Number(port), hostname);
      await once(socket, "connect");
      socket.pause();
      socket.write("GET /console/host/big/events HTTP/1.1\r\nhost: x\r\n\r\n");
      try {
        await waitFor("the reader that is cut off", 60_000, async () => {
          // Names of a kilobyte, all new: half a megabyte at each update, until no buffer of the kernel has room.
          play.manyName = `${fleet.ticks}`.padStart(900, "x");
          await ticks(1, ["big"]);
          const cut = await classifier.metric('kvmgov_console_streams_ended_total{reason="cut-off"}');
          return cut === 1 ? true : undefined;
        });
      } finally {
        socket.destroy();
        play.manyName = "";
      }
      expect(await classifier.metric("kvmgov_console_streams")).toBe(0);
      const after = (await classifier.metric("process_resident_memory_bytes")) ?? 0;
      console.info(
        `memory of the classifier ${Math.round(before / 1e6)} MB, then ${Math.round(after / 1e6)} MB`,
      );
    });

    it("refuses one page too many, and the page says so in words", async () => {
      const limited = await plane.classifier({ ...SETTINGS, KVMGOV_CONSOLE_STREAMS: "1" });
      const { url } = classifier;
      try {
        const [first, second] = [await browser.browser.newPage(), await browser.browser.newPage()];
        opened.push(first, second);
        await first.goto(`${limited.url}/console/`);
        await isServed(first);
        await second.goto(`${limited.url}/console/`);
        await statusIs(second, "lost");
        expect(await second.locator("#banner").innerText()).toMatch(
          /^No connection since [\d:]+: 1 pages are open already, which is the limit \(consoleStreams\): close some\./,
        );
        await first.close();
        await isServed(second);
      } finally {
        await limited.stop();
      }
      expect(classifier.url).toBe(url);
    });

    it("asks for the password of the pages, for all of it", async () => {
      const file = join(plane.dir, "web.yml");
      writeFileSync(file, `basic_auth_users:\n  ops: ${hashSync("right", 4)}\n`);
      const closed = await plane.classifier({ ...SETTINGS, KVMGOV_WEB_CONFIG_FILE: file });
      try {
        for (const path of ["/console/", "/console/events", "/console/assets/console.css"])
          expect((await fetch(closed.url + path)).status).toBe(401);
        const page = await browser.browser.newPage({
          httpCredentials: { username: "ops", password: "right" },
        });
        opened.push(page);
        await page.goto(`${closed.url}/console/`);
        await isServed(page);
      } finally {
        await closed.stop();
      }
    });

    it("says that the classifier is gone, and recovers when it is back", async () => {
      // Others that came and went may have had the host: this one knows of it again with its next sample.
      await ticks(1, ["h1"]);
      const page = await open("/console/host/h1");
      await page.locator("#guests tbody tr").first().waitFor();
      const listen = new URL(classifier.url).host;
      await classifier.kill();
      await statusIs(page, "lost");
      expect(await page.locator("#banner").innerText()).toMatch(
        /^No connection since \d\d:\d\d:\d\d\. What is shown is from then/,
      );
      expect(await page.locator("#guests tbody tr").count()).toBe(4);
      classifier = await plane.classifier({ ...SETTINGS, KVMGOV_LISTEN: listen });
      await ticks(1);
      await statusIs(page, "live");
      expect(await page.locator("#banner").isVisible()).toBe(false);
      await waitFor("the guests", 10_000, async () =>
        (await page.locator("#guests tbody tr").count()) === 4 ? true : undefined,
      );
      play.solver = 0.5;
      await ticks(1, ["h1"]);
      await page.locator(`#guests tr[data-key="${SOLVER}"] td.usage`, { hasText: "50%" }).waitFor();
    });
  });
});
