/**
 * The check of a sample by hand. A classifier reads a thousand samples of a thousand fields a second, and the schema, which
 * can say what is wrong and leaves out what it does not know, takes ten times as long. A property test holds the two together.
 */
import { CONTRACT_VERSION, isBootId, isGuestUuid, isHostId } from "./fields.ts";
import { checkContract, parseJson } from "./parse.ts";
import { sampleSchema } from "./sample.ts";
import type { Sample } from "./sample.ts";

/**
 * Reads a sample: exactly as `parseContract(sampleSchema, …)`, which is asked where this check does not say yes.
 * @param what names the source in errors, e.g. `sample on kvmgov.v1.sample.h1`
 * @throws {ContractError} oversized, too deep, of a later version, not JSON, or a field is missing or wrong
 */
export function parseSample(input: string | Uint8Array, what: string): Sample {
  return checkSample(parseJson(input, what), what);
}

/** As {@link parseSample}, of a value that is parsed already. @throws {ContractError} naming the first field that is wrong */
export function checkSample(value: unknown, what: string): Sample {
  return isExactSample(value) ? value : checkContract(sampleSchema, value, what);
}

/**
 * Whether `sampleSchema` accepts a value and would give it back as it is: every field right, and none that the schema does
 * not know. False says nothing: the sample of a newer collector may carry fields that are to be left out.
 */
export function isExactSample(value: unknown): value is Sample {
  if (!isObject(value)) return false;
  const { schema, host, bootId, sequence, wallTimeMs, periodMs, cpus, hostRun, pressure } = value;
  return (
    schema === CONTRACT_VERSION &&
    isHostId(host) &&
    isBootId(bootId) &&
    isWhole(sequence, 0) &&
    isWhole(wallTimeMs, 0) &&
    isAmount(periodMs, 86_400_000) &&
    periodMs > 0 &&
    isCpuSet(cpus) &&
    isAmount(hostRun, CORES_MAX) &&
    (pressure === undefined || isAmount(pressure, 2)) &&
    isList(value["guests"], isGuest, 0, GUESTS_MAX) &&
    isList(value["unreadable"], isUnreadable, 0, GUESTS_MAX) &&
    hasFields(value, 10 + count(pressure))
  );
}

type Fields = Readonly<Record<string, unknown>>;

const CORES_MAX = 65_536;
const GUESTS_MAX = 16_384;
const VCPUS_MAX = 4096;
const NUMBER_MAX = 65_535;
const TEXT_MAX = 1024;

const STATES: ReadonlySet<unknown> = new Set(["running", "paused", "migrating", "unknown"]);
const CLASSES: ReadonlySet<unknown> = new Set(["auto", "service", "scientific", "exempt"]);
const EXEMPT_REASONS: ReadonlySet<unknown> = new Set(["dedicated", "realtime", "cpu-pm"]);

function isGuest(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { uuid, name, pid, startTime, state, declared, otherRun, vcpus } = value;
  const { exemptReason, incomplete, allowedCpus, memoryNodes } = value;
  return (
    isGuestUuid(uuid) &&
    isText(name, 1, TEXT_MAX) &&
    isWhole(pid, 1) &&
    isWhole(startTime, 0) &&
    STATES.has(state) &&
    isDeclared(declared) &&
    (exemptReason === undefined || EXEMPT_REASONS.has(exemptReason)) &&
    (incomplete === undefined || typeof incomplete === "boolean") &&
    (allowedCpus === undefined || isCpuSet(allowedCpus)) &&
    (memoryNodes === undefined || isList(memoryNodes, isMemoryNode, 0, 1024)) &&
    isList(vcpus, isVcpu, 1, VCPUS_MAX) &&
    isAmount(otherRun, CORES_MAX) &&
    hasFields(value, 8 + count(exemptReason) + count(incomplete) + count(allowedCpus) + count(memoryNodes))
  );
}

function isVcpu(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { index, run, delay, switches, involuntaryPart, migrations, throttled, allowedCpus } = value;
  return (
    isWhole(index, 0, NUMBER_MAX) &&
    isAmount(run, 2) &&
    isAmount(delay, 2) &&
    (switches === undefined || isWhole(switches, 0)) &&
    (involuntaryPart === undefined || isAmount(involuntaryPart, 1)) &&
    (migrations === undefined || isWhole(migrations, 0)) &&
    (throttled === undefined || isAmount(throttled, 2)) &&
    (allowedCpus === undefined || isCpuSet(allowedCpus)) &&
    hasFields(
      value,
      3 +
        count(switches) +
        count(involuntaryPart) +
        count(migrations) +
        count(throttled) +
        count(allowedCpus),
    )
  );
}

function isDeclared(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { class: declaredClass, slaCores, slaDelay, source } = value;
  return (
    CLASSES.has(declaredClass) &&
    (slaCores === undefined || isAmount(slaCores, CORES_MAX)) &&
    (slaDelay === undefined || (isAmount(slaDelay, 1) && slaDelay > 0)) &&
    (source === undefined || isText(source, 0, 256)) &&
    hasFields(value, 1 + count(slaCores) + count(slaDelay) + count(source))
  );
}

function isMemoryNode(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { node, share } = value;
  return isWhole(node, 0, NUMBER_MAX) && isAmount(share, 1) && hasFields(value, 2);
}

function isUnreadable(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { uuid, name, reason } = value;
  return (
    (uuid === undefined || isGuestUuid(uuid)) &&
    isText(name, 1, TEXT_MAX) &&
    isText(reason, 0, TEXT_MAX) &&
    hasFields(value, 2 + count(uuid))
  );
}

/** Ascending, without repeats, never empty. */
function isCpuSet(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0 || value.length > CORES_MAX) return false;
  let before = -1;
  for (const cpu of value as unknown[]) {
    if (!isWhole(cpu, before + 1, NUMBER_MAX)) return false;
    before = cpu;
  }
  return true;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isList(value: unknown, isEntry: (entry: unknown) => boolean, least: number, most: number): boolean {
  if (!Array.isArray(value) || value.length < least || value.length > most) return false;
  for (const entry of value as unknown[]) if (!isEntry(entry)) return false;
  return true;
}

function isWhole(value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

/** From 0 on; no NaN. */
function isAmount(value: unknown, most: number): value is number {
  return typeof value === "number" && value >= 0 && value <= most;
}

function isText(value: unknown, least: number, most: number): boolean {
  return typeof value === "string" && value.length >= least && value.length <= most;
}

const count = (field: unknown): number => (field === undefined ? 0 : 1);

/** Whether an object has this many fields: those that were looked at, and no other. */
function hasFields(value: Fields, known: number): boolean {
  let fields = 0;
  // Without a list of names: this runs a quarter of a million times a second.
  for (const _name in value) fields++;
  return fields === known;
}
