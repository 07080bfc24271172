/** NATS: whether it lets us in, has JetStream, and room for our streams. Asked in its own protocol (reference-protocols/nats-protocol). */
import { MESSAGE_BYTES_MAX } from "@kvm-governor/policy";
import { loadConfig, readTlsFiles, streamMemoryBytes, streamSettingsSchema } from "@kvm-governor/service-kit";
import { natsLogin } from "../nats-login.ts";
import { addressOf, reasonOf, where, withoutPassword } from "./address.ts";
import { ask } from "./ask-server.ts";
import type { Address } from "./ask-server.ts";
import { fail, NOT_CONFIGURED, ok, warn } from "./check.ts";
import type { Check, Environment } from "./check.ts";

const NAME = "nats";
const LIMITS = "nats limits";
const INBOX = "_INBOX.kvmgov-doctor";
/** Part of a limit from which it is worth a look. */
const NEARLY = 0.8;
const MIB = 1024 * 1024;

export async function natsChecks(env: Environment): Promise<Check[]> {
  const urls = env["KVMGOV_NATS_URL"];
  if (urls === undefined || urls === "") return [ok(NAME, NOT_CONFIGURED)];
  // Of several the first: those of a cluster have the same streams.
  const url = urls.split(",")[0] ?? urls;
  try {
    const { user, password, tls } = natsLogin({ ...env, KVMGOV_NATS_URL: url });
    const given = new URL(url);
    const address: Address = {
      ...addressOf(url, 4222, ["tls:"]),
      ...(tls !== undefined && { tls: true, files: readTlsFiles("natsTls", tls) }),
      greetsInClear: true,
    };
    const login = {
      user: user ?? decodeURIComponent(given.username),
      pass: password ?? decodeURIComponent(given.password),
    };
    const answer = await ask(address, requests(login), hasAllAnswers);
    return natsFindings(answer, address, memoryWanted(env));
  } catch (error) {
    return [
      fail(
        NAME,
        `${withoutPassword(url)}: ${reasonOf(error)}`,
        "start nats-server there, or correct KVMGOV_NATS_URL; without it kvmgov up starts one",
      ),
    ];
  }
}

function requests({ user, pass }: { user: string; pass: string }): string {
  const options = { verbose: false, pedantic: false, lang: "kvmgov-doctor", version: "1" };
  const login = { ...options, ...(user === "" ? {} : { user, pass }) };
  return `CONNECT ${JSON.stringify(login)}\r\nSUB ${INBOX} 1\r\nPUB $JS.API.INFO ${INBOX} 0\r\n\r\nPING\r\n`;
}

/** What the streams may take together, in bytes of memory; as this environment configures them, which on hosts is the default. */
function memoryWanted({ KVMGOV_CONFIG: _file, ...env }: Environment): number {
  return streamMemoryBytes(loadConfig(streamSettingsSchema, { env }));
}

/** Refused, or PONG and, where there is JetStream, what it says or that it may not be asked. */
function hasAllAnswers(answer: string): boolean {
  if (refusal(answer) !== undefined) return true;
  if (!/^PONG\r$/m.test(answer)) return false;
  return !answer.includes('"jetstream":true') || /^-ERR |^MSG .*\r\n\{.*\}\r$/m.test(answer);
}

/** An error that is not about what this user may ask. */
const refusal = (answer: string): string | undefined =>
  /^-ERR ((?!'Permissions Violation).*)\r$/m.exec(answer)?.[1];

/** @param memoryBytes what our streams may take */
export function natsFindings(answer: string, address: Address, memoryBytes: number): Check[] {
  const problem = refusal(answer);
  if (problem !== undefined)
    return [
      fail(NAME, `${where(address)} refuses us: ${problem}`, "KVMGOV_NATS_USER and KVMGOV_NATS_PASSWORD"),
    ];
  const version = /"version":"([^"]*)"/.exec(answer)?.[1] ?? "?";
  if (!answer.includes('"jetstream":true')) {
    const remedy = "start nats-server with jetstream (deploy/nats/nats-server.conf)";
    return [fail(NAME, `${where(address)} has no JetStream`, remedy)];
  }
  const there = ok(NAME, `${where(address)} answers: nats-server ${version} with JetStream`);
  return [there, ...payload(answer), ...accountLimits(answer, memoryBytes)];
}

/** Largest message of the server; ours are bounded by the contracts. */
function payload(answer: string): Check[] {
  const bytes = Number(/"max_payload":(\d+)/.exec(answer)?.[1] ?? MESSAGE_BYTES_MAX);
  if (bytes >= MESSAGE_BYTES_MAX) return [];
  const reason = `messages of more than ${bytes} bytes are refused: samples and plans of hosts with many guests`;
  return [warn(LIMITS, reason, `max_payload: 1MB (ours are at most ${MESSAGE_BYTES_MAX} bytes)`)];
}

/** Account information of JetStream (nats-server, server/jetstream_api.go: JSApiAccountInfoResponse); -1 is "no limit". */
interface AccountInfo {
  memory: number;
  storage: number;
  streams: number;
  consumers: number;
  limits: { max_memory: number; max_storage: number; max_streams: number; max_consumers: number };
}

function accountLimits(answer: string, memoryBytes: number): Check[] {
  const text = /^MSG .*\r\n(\{.*\})\r$/m.exec(answer)?.[1];
  if (text === undefined) {
    const reason = "cannot be seen: this user may not ask for them";
    return [warn(LIMITS, reason, "a host's user never may; run it with the classifiers' user")];
  }
  const { error, ...info } = JSON.parse(text) as Partial<AccountInfo> & { error?: { description: string } };
  if (error !== undefined || info.limits === undefined) {
    const why = error?.description ?? "an answer without limits";
    return [fail(LIMITS, `JetStream is not for this account: ${why}`, "enable jetstream for the account")];
  }
  const problems = limitProblems(info as AccountInfo, memoryBytes);
  if (problems.length > 0) return problems;
  const { memory = 0, streams = 0 } = info;
  return [ok(LIMITS, `${streams} streams, ${mib(memory)} in memory; room for ${mib(memoryBytes)} of ours`)];
}

function limitProblems({ limits, ...used }: AccountInfo, memoryBytes: number): Check[] {
  const isSet = (limit: number): boolean => limit >= 0;
  const problems: Check[] = [];
  if (isSet(limits.max_memory) && limits.max_memory < memoryBytes) {
    const reason = `the account may have ${mib(limits.max_memory)} in memory, our streams up to ${mib(memoryBytes)}`;
    problems.push(
      fail(LIMITS, reason, "raise max_mem of the account, or lower streamBytesMax of the classifiers"),
    );
  }
  for (const [what, count, limit] of [
    ["bytes on disk", used.storage, limits.max_storage],
    ["streams", used.streams, limits.max_streams],
    ["consumers", used.consumers, limits.max_consumers],
  ] as const) {
    if (!isSet(limit) || count < NEARLY * limit) continue;
    problems.push(
      warn(LIMITS, `${count} of ${limit} ${what} are taken`, `raise the account's limit of ${what}`),
    );
  }
  return problems;
}

const mib = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`;
