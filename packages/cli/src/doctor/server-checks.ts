/** The servers: those that are configured, or what is needed to start our own. */
import { missingPackages, toolboxRoot, whyNoTools } from "../../../../scripts/lib/toolbox.js";
import type { HostSummary } from "../api/answers.ts";
import { Classifier } from "../api/client.ts";
import { addressOf, reasonOf, where, withoutPassword } from "./address.ts";
import { ask } from "./ask-server.ts";
import type { Address } from "./ask-server.ts";
import { fail, NOT_CONFIGURED, ok, warn } from "./check.ts";
import type { Check, Environment } from "./check.ts";
import { natsChecks } from "./nats-checks.ts";

const CLOCKS_APART_MS_MAX = 2000;

export async function serverChecks(env: Environment, classifierUrl: string): Promise<Check[]> {
  const checks = [...(await natsChecks(env)), ...(await redisChecks(env))];
  return [...checks, toolboxCheck(env), ...(await classifierChecks(classifierUrl))];
}

export async function redisChecks(env: Environment): Promise<Check[]> {
  const url = env["KVMGOV_REDIS_URL"];
  if (url === undefined || url === "") return [ok("redis", NOT_CONFIGURED)];
  try {
    const address = addressOf(url, 6379, ["rediss:"]);
    const given = new URL(url);
    const password = env["KVMGOV_REDIS_PASSWORD"] ?? decodeURIComponent(given.password);
    const user = given.username === "" ? [] : [decodeURIComponent(given.username)];
    const commands = [
      ...(password === "" ? [] : [["AUTH", ...user, password]]),
      ["PING"],
      ["TIME"],
      ["CONFIG", "GET", "appendonly"],
      ["ECHO", "kvmgov-end"],
    ];
    const answer = await ask(address, commands.map(resp).join(""), (text) =>
      /kvmgov-end|NOAUTH.*\r\n$/.test(text),
    );
    return redisFindings(answer, address, Date.now());
  } catch (error) {
    return [
      fail(
        "redis",
        `${withoutPassword(url)}: ${reasonOf(error)}`,
        "start redis-server there, or correct KVMGOV_REDIS_URL; without it kvmgov up starts one",
      ),
    ];
  }
}

/** A command in Redis' own form: its parts may hold anything. */
function resp(parts: readonly string[]): string {
  return `*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`;
}

export function redisFindings(answer: string, address: Address, nowMs: number): Check[] {
  const refused = /^-(NOAUTH|WRONGPASS|ERR AUTH|ERR invalid password)[^\r]*/m.exec(answer)?.[0];
  if (refused !== undefined)
    return [fail("redis", `${where(address)} refuses us: ${refused.slice(1)}`, "KVMGOV_REDIS_PASSWORD")];
  const there = /^\+PONG\r$/m.test(answer)
    ? ok("redis", `${where(address)} answers`)
    : fail(
        "redis",
        `${where(address)}: ${/^-([^\r]*)/m.exec(answer)?.[1] ?? "does not answer PING"}`,
        "look at the log of redis-server",
      );
  return [there, appendOnly(answer), clocks(answer, nowMs)].filter((check) => check !== undefined);
}

function appendOnly(answer: string): Check {
  const value = /appendonly\r\n\$\d+\r\n(\w+)/.exec(answer)?.[1];
  if (value === "yes") return ok("redis AOF", "every tick survives a crash of Redis");
  const remedy = "set appendonly yes (deploy/redis/redis.conf)";
  if (value === "no")
    return warn(
      "redis AOF",
      "off: a crash of Redis loses the lists since its last snapshot; they are rebuilt from the plans",
      remedy,
    );
  return warn(
    "redis AOF",
    "cannot be seen: CONFIG is not allowed to us",
    `make sure of it on the server: ${remedy}`,
  );
}

function clocks(answer: string, nowMs: number): Check | undefined {
  const seconds = /\*2\r\n\$\d+\r\n(\d{9,})\r\n/.exec(answer)?.[1];
  if (seconds === undefined) return undefined;
  const apartMs = Math.abs(Number(seconds) * 1000 - nowMs);
  if (apartMs <= CLOCKS_APART_MS_MAX) return ok("wall clock", "agrees with that of Redis");
  return warn(
    "wall clock",
    `is ${Math.round(apartMs / 1000)} s off that of Redis: times on the pages are wrong, decisions are not`,
    "run chrony or systemd-timesyncd on both",
  );
}

function toolboxCheck(env: Environment): Check {
  const needs =
    env["KVMGOV_NATS_URL"] !== undefined && env["KVMGOV_REDIS_URL"] !== undefined
      ? []
      : (["servers"] as const);
  const missing = needs.flatMap((set) => missingPackages(set));
  if (missing.length === 0) return ok("toolbox", "not needed: this machine has the programs");
  const lacking = whyNoTools(needs);
  if (lacking === undefined) return ok("toolbox", `${missing.join(", ")} unpacked in ${toolboxRoot()}`);
  return warn(
    "toolbox",
    `${lacking}; the next npm start fetches them from Debian's archive`,
    `npm start, or: apt-get install ${missing.join(" ")}`,
  );
}

async function classifierChecks(url: string): Promise<Check[]> {
  try {
    const hosts = await new Classifier(url).hosts();
    const known = `${url} answers, it knows ${hosts.length} host${hosts.length === 1 ? "" : "s"}`;
    return [ok("classifier", known), ...hostConflicts(hosts)];
  } catch (error) {
    return [warn("classifier", (error as Error).message, "npm start, or name its address by --url")];
  }
}

/** One finding for each host id that two machines use. */
export function hostConflicts(hosts: readonly Pick<HostSummary, "id" | "idConflict">[]): Check[] {
  return hosts.flatMap(({ id, idConflict }) => {
    if (idConflict === null || idConflict === undefined) return [];
    const names = idConflict.names.length === 0 ? "" : ` (${idConflict.names.join(", ")})`;
    const what = `${id} is used by two machines${names}: one of them is refused`;
    return [
      fail("host ids", what, "give the copy an /etc/machine-id of its own, or set hostId (KVMGOV_HOST_ID)"),
    ];
  });
}
