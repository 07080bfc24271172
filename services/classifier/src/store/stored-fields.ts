/** How a host's state is laid out in Redis: fields of hashes to values, and back with every value checked. */
import {
  ContractError,
  ContractVersionError,
  checkContract,
  delayStateSchema,
  guestStateSchema,
  hostStateSchema,
  parseContract,
  planSchema,
} from "@kvm-governor/policy";
import type { GuestState, HostState, Plan } from "@kvm-governor/policy";
import { CorruptStateError, LaterStateError } from "./store.ts";
import type { StateChange, StoredHost } from "./store.ts";

/** The raw keys of one host as Redis returned them; a field that is missing is undefined. */
export interface RawHost {
  tick: Readonly<Record<string, string>>;
  service: readonly string[];
  scientific: readonly string[];
  guests: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

/** Token of a tick hash: see `commitTick.lua`. */
export function tokenOf(tick: RawHost["tick"]): string {
  return Object.keys(tick).length === 0 ? "" : `${tick["version"] ?? ""}:${tick["sequence"] ?? ""}`;
}

/** Version in a tick hash; 0 where there is none that can be read. */
export function versionOf(tick: RawHost["tick"]): number {
  const version = Number(tick["version"]);
  return Number.isSafeInteger(version) && version > 0 ? version : 0;
}

/** When the last sample was taken; undefined where a version wrote that did not say, or what is no time. */
export function heardAtOf(text: string | null | undefined): number | undefined {
  const heardAtMs = Number(text ?? undefined);
  return Number.isSafeInteger(heardAtMs) && heardAtMs > 0 ? heardAtMs : undefined;
}

/**
 * State of a host from its keys; undefined where there are none at all.
 * @throws {LaterStateError} a later version wrote it
 * @throws {CorruptStateError} naming the first value that is wrong
 */
export function parseStored(host: string, raw: RawHost): HostState | undefined {
  const isEmpty = raw.service.length === 0 && raw.scientific.length === 0;
  if (Object.keys(raw.tick).length === 0) {
    if (isEmpty) return undefined;
    throw new CorruptStateError(host, "lists without a tick");
  }
  if (versionOf(raw.tick) === 0) {
    throw new CorruptStateError(
      host,
      `version of the tick is ${JSON.stringify(raw.tick["version"] ?? null)}`,
    );
  }
  try {
    return parseState(host, raw);
  } catch (cause) {
    if (cause instanceof ContractVersionError) throw new LaterStateError(host, cause.message, { cause });
    if (cause instanceof ContractError) throw new CorruptStateError(host, cause.message, { cause });
    throw cause;
  }
}

function parseState(host: string, { tick, service, scientific, guests }: RawHost): HostState {
  // First, because it says which version wrote all of this.
  const stored = tick["plan"] === undefined ? undefined : parseContract(planSchema, tick["plan"], "plan");
  const parsed: HostState["guests"] = {};
  for (const [list, uuids] of [
    ["service", service],
    ["scientific", scientific],
  ] as const) {
    for (const uuid of uuids) {
      if (parsed[uuid] !== undefined) throw new CorruptStateError(host, `guest ${uuid} is in both lists`);
      const guest = parseGuest(host, uuid, guests.get(uuid) ?? {});
      if (guest.class !== list) {
        throw new CorruptStateError(
          host,
          `guest ${uuid} is in the list ${list} and has class ${guest.class}`,
        );
      }
      parsed[uuid] = guest;
    }
  }
  const plan = stored && lastPublished(stored, tick, parsed);
  return checkContract(
    hostStateSchema,
    {
      bootId: tick["bootId"],
      sequence: toNumber(tick["sequence"]),
      wallTimeMs: toNumber(tick["wallTimeMs"]),
      generation: toNumber(tick["generation"]),
      guests: parsed,
      ...(plan === undefined ? {} : { plan }),
    },
    "tick",
  );
}

/** The plan as it was last published: what changes at every tick stands in other fields than the plan's own. */
function lastPublished(plan: Plan, tick: RawHost["tick"], guests: HostState["guests"]): Plan {
  const sequence = Number(tick["sequence"]);
  const expiresAtUs = Number(tick["expiresAtUs"]);
  // NaN: written by a version that always wrote all of it.
  if (plan.sequence === sequence || Number.isNaN(expiresAtUs)) return plan;
  const counted = plan.guests.map((guest) => {
    const { count, since } = guests[guest.uuid] ?? guest;
    return { ...guest, count, since };
  });
  return { ...plan, sequence, expiresAtUs, guests: counted };
}

function parseGuest(
  host: string,
  uuid: string,
  fields: Readonly<Record<string, string>>,
): HostState["guests"][string] {
  const delay = parseDelay(fields["delay"]);
  if (Object.keys(fields).length === 0) throw new CorruptStateError(host, `guest ${uuid} has no hash`);
  return checkContract(
    guestStateSchema,
    {
      name: fields["name"],
      class: fields["class"],
      declared: fields["declared"],
      count: toNumber(fields["count"]),
      since: toNumber(fields["since"]),
      usage: toNumber(fields["usage"]),
      ...(delay === undefined ? {} : { delay }),
    },
    `guest ${uuid}`,
  );
}

/** What cannot be read is forgotten: the host begins where one without it begins, which costs time alone. */
function parseDelay(text: string | undefined): GuestState["delay"] {
  if (text === undefined) return undefined;
  try {
    return delayStateSchema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Text that is no number stays text, so that the contract names the field. */
function toNumber(text: string | undefined): number | string | undefined {
  if (text === undefined || text.trim() === "") return text;
  const value = Number(text);
  return Number.isNaN(value) ? text : value;
}

const delayText = ({ delay }: GuestState): string => (delay === undefined ? "" : JSON.stringify(delay));

/** In place of a plan, or of what is remembered of a delay: what is stored stays. */
const KEEP = "=";

/** ARGV of `commitTick.lua` after the token and the mode. */
export function commitArguments(
  { version, state: next, heardAtMs }: StoredHost & { state: HostState },
  change: StateChange,
  planText: string | undefined,
): (string | number)[] {
  const args: (string | number)[] = [
    change.changed.length,
    change.counted.length,
    version,
    next.bootId,
    next.sequence,
    next.wallTimeMs,
    next.generation,
    planText ?? KEEP,
    next.plan?.expiresAtUs ?? "",
    heardAtMs ?? "",
  ];
  for (const { uuid, guest, moved } of change.changed) {
    args.push(uuid, guest.class, moved ? "moved" : "", guest.name);
    args.push(guest.count, guest.since, guest.declared, guest.usage, delayText(guest));
  }
  for (const { guest, isDelayKept } of change.counted)
    args.push(guest.count, guest.usage, isDelayKept ? KEEP : delayText(guest));
  args.push(...change.departed);
  return args;
}
