/**
 * Debian's Chromium for tests and screenshots: the machine's own, or the toolbox's. Of the toolbox's the program itself is
 * run: the wrapper in /usr/bin reads /etc/chromium.d, which is not there.
 */
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";
import { ensureTools, onPath } from "../../scripts/lib/toolbox.js";

const PROGRAM = "usr/lib/chromium/chromium";
const FONTS = "usr/share/fonts";

export interface TestBrowser extends AsyncDisposable {
  browser: Browser;
}

/** @throws {ToolboxError} no Chromium; errors of playwright where it does not start */
export async function startBrowser(): Promise<TestBrowser> {
  const { trees } = await ensureTools(["browser"]);
  const dir = await mkdtemp(path.join(tmpdir(), "kvmgov-browser-"));
  const removeDir = (): Promise<void> => rm(dir, { recursive: true, force: true });
  try {
    const browser = await chromium.launch({
      executablePath: programOf(trees),
      env: { ...definedOf(process.env), ...(await environmentOf(trees, dir)) },
      // Chromium refuses to run as root inside its sandbox; it only ever sees pages of ours.
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    });
    return {
      browser,
      [Symbol.asyncDispose]: async () => {
        await browser.close();
        await removeDir();
      },
    };
  } catch (error) {
    await removeDir();
    throw error;
  }
}

function programOf(trees: readonly string[]): string {
  const found = trees.map((tree) => path.join(tree, PROGRAM)).find(existsSync) ?? onPath("chromium");
  if (found === undefined) throw new Error("no chromium, on this machine or in the toolbox");
  return found;
}

/** Libraries and fonts of the trees. Without a font configuration that is there Chromium draws no text, and says nothing. */
async function environmentOf(trees: readonly string[], dir: string): Promise<Record<string, string>> {
  const libraries = trees.flatMap((tree) =>
    ["x86_64-linux-gnu/pulseaudio", "x86_64-linux-gnu", "aarch64-linux-gnu/pulseaudio", "aarch64-linux-gnu"]
      .map((each) => path.join(tree, "usr/lib", each))
      .filter(existsSync),
  );
  const fonts = [...trees, "/"].map((tree) => path.join(tree, FONTS)).filter(existsSync);
  const file = path.join(dir, "fonts.conf");
  const dirs = fonts.map((each) => `<dir>${each}</dir>`).join("");
  const sans = ["sans-serif", "system-ui"].map((name) => alias(name, "DejaVu Sans")).join("");
  await writeFile(
    file,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd"><fontconfig>${dirs}` +
      `<cachedir>${dir}/fonts</cachedir>${sans}${alias("monospace", "DejaVu Sans Mono")}</fontconfig>`,
  );
  return {
    FONTCONFIG_FILE: file,
    XDG_CACHE_HOME: dir,
    XDG_CONFIG_HOME: dir,
    ...(libraries.length > 0 && { LD_LIBRARY_PATH: libraries.join(":") }),
  };
}

function alias(family: string, font: string): string {
  return `<alias><family>${family}</family><prefer><family>${font}</family></prefer></alias>`;
}

function definedOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
