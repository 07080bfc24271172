/** What the service guests are asked to do: wrk from outside for the web guest, `pc` inside the PC guest. */
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { spawnGuarded } from "../../../packages/lab/src/process.ts";
import type { Program } from "../../../scripts/lib/toolbox.js";
import type { PaperGuest } from "../guest/guest.ts";
import { WEB_FILES_KIB } from "../guest/image.ts";

/** How a load was served, from its start to its stop. */
export interface Served {
  /** A second. */
  throughput: number;
  p50Ms: number;
  p99Ms: number;
  /** Requests that failed, or pieces of work that were left out because their time was over. */
  errors: number;
}

export interface Load {
  stop(): Promise<Served>;
}

/** A load generator did not do its work. */
export class LoadError extends Error {
  override readonly name = "LoadError";
}

/** Users of the web guest; each waits up to `thinkMsMax`, evenly spread, before its next request. */
export interface WebLoadOptions {
  users: number;
  thinkMsMax: number;
  seed: number;
}

const FOREVER_S = 86_400;
/** A wrk that waits for the CPU would be measured as a guest that is slow. */
const NICE = -20;
const REQUEST_S_MAX = 10;

/** `delay` is wrk's own name for the time before the next request; latencies begin at the request's first byte. */
const script = ({ thinkMsMax, seed }: WebLoadOptions): string => `
math.randomseed(${seed})
local files = { ${WEB_FILES_KIB.join(", ")} }
function delay() return math.random(0, ${thinkMsMax}) end
function request() return wrk.format("GET", "/" .. files[math.random(#files)]) end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"errors":%d}\\n', summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
`;

/** @param dir where its script is put */
export function startWebLoad(wrk: Program, guest: PaperGuest, dir: string, options: WebLoadOptions): Load {
  const file = path.join(dir, `${guest.name}.lua`);
  writeFileSync(file, script(options));
  const args = [
    "-t",
    "1",
    "-c",
    String(options.users),
    "-d",
    String(FOREVER_S),
    "--timeout",
    String(REQUEST_S_MAX),
  ];
  const url = `http://127.0.0.1:${guest.webPort}/`;
  const first: Program = { path: "nice", args: ["-n", String(NICE), wrk.path, ...wrk.args], env: wrk.env };
  const child = spawnGuarded(first, [...args, "-s", file, url], { stdio: ["ignore", "pipe", "pipe"] });
  const said = collect(child);
  return {
    async stop(): Promise<Served> {
      child.kill("SIGINT"); // wrk ends as if its time was over
      return servedByWrk(await said);
    },
  };
}

export function servedByWrk(text: string): Served {
  const line = text.split("\n").find((each) => each.startsWith("{"));
  if (line === undefined) throw new LoadError(`wrk: ${text.trim() || "said nothing"}`);
  const { requests, microseconds, p50, p99, errors } = JSON.parse(line) as Record<string, number>;
  if (!requests || !microseconds) throw new LoadError(`wrk had no request answered: ${text.trim()}`);
  return {
    throughput: (requests * 1e6) / microseconds,
    p50Ms: (p50 ?? 0) / 1e3,
    p99Ms: (p99 ?? 0) / 1e3,
    errors: errors ?? 0,
  };
}

function collect(child: ChildProcess): Promise<string> {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (text += String(chunk)));
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(String(error)));
    child.once("close", () => resolve(text));
  });
}

/** A light and regular user: a piece of work (plan.ts) begins so often. */
export const PC_PERIOD_MS = 100;

export interface PcLoadOptions {
  /** A piece of work begins each period. */
  periodMs: number;
  units: number;
}

export async function startPcLoad(guest: PaperGuest, options: PcLoadOptions): Promise<Load> {
  await guest.shell.run(
    `rm -f /tmp/pc; pc ${options.periodMs} ${options.units} >/tmp/pc 2>&1 & echo $! >/tmp/pc.pid`,
  );
  return {
    async stop(): Promise<Served> {
      await guest.shell.run("kill $(cat /tmp/pc.pid)");
      // No sleep: it ends within a period, and a guest that is short of CPU is late with everything that it has to start.
      const text = await guest.shell.run("until [ -s /tmp/pc ]; do :; done; cat /tmp/pc");
      return servedByPc(text);
    },
  };
}

export function servedByPc(text: string): Served {
  let found: Record<string, number>;
  try {
    found = JSON.parse(text) as Record<string, number>;
  } catch (cause) {
    throw new LoadError(`pc: ${JSON.stringify(text)}`, { cause });
  }
  const { done, missed, seconds, p50Ms, p99Ms } = found;
  if (!done || !seconds) throw new LoadError(`pc did no work: ${text}`);
  return { throughput: done / seconds, p50Ms: p50Ms ?? 0, p99Ms: p99Ms ?? 0, errors: missed ?? 0 };
}

/** How many units of work the PC guest does in a millisecond when it is alone. */
export async function pcUnitsPerMs(guest: PaperGuest): Promise<number> {
  const text = await guest.shell.run("pc calibrate");
  const { unitsPerMs } = JSON.parse(text) as { unitsPerMs?: number };
  if (!unitsPerMs) throw new LoadError(`pc calibrate: ${text}`);
  return unitsPerMs;
}
