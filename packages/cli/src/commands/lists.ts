/** `kvmgov lists`: LIST_se and LIST_sc of every host. */
import type { GuestReport } from "@kvm-governor/policy";
import type { HostAnswer, StoredGuest } from "../api/answers.ts";
import { visible } from "../supervisor/narrator.ts";
import { tableLines } from "../text/table.ts";
import { lengthOf, listName, percent } from "../text/words.ts";
import { answersOf, missingLines, print } from "./asking.ts";
import type { AskFlags } from "./asking.ts";

interface Row {
  list: string;
  name: string;
  uuid: string;
  count: string;
  usage: string;
  since: string;
  declared: string;
}

export async function lists(flags: AskFlags): Promise<number> {
  const hosts = await answersOf(flags);
  if (flags.json === true) print([JSON.stringify({ hosts: hosts.map(toJson) })]);
  else
    print(
      hosts.length === 0 ? ["No host yet: no collector has sent a sample."] : listsText(hosts, Date.now()),
    );
  return 0;
}

function toJson({ id, name, guests, report }: HostAnswer): object {
  const exempt = (report?.guests ?? []).filter((guest) => guest.class === "exempt");
  return {
    id,
    name,
    service: guests.filter((guest) => guest.class === "service"),
    scientific: guests.filter((guest) => guest.class === "scientific"),
    exempt: exempt.map(({ uuid, name, usage, reasons }) => ({ uuid, name, usage, reasons })),
  };
}

export function listsText(hosts: readonly HostAnswer[], nowMs: number): string[] {
  return hosts.flatMap((host, at) => [
    ...(at === 0 ? [] : [""]),
    titleOf(host, nowMs),
    ...guestLines(host, nowMs),
  ]);
}

function titleOf({ id, name, generation, lastHeardMs }: HostAnswer, nowMs: number): string {
  const called = name === null || name === id ? "" : ` (${name})`;
  const heard =
    lastHeardMs === null
      ? "no classifier that runs has heard of it"
      : `heard ${lengthOf(nowMs - lastHeardMs)} ago`;
  return visible(`Host ${id}${called}: ${generation === null ? "no plan" : `plan ${generation}`}, ${heard}`);
}

function guestLines(host: HostAnswer, nowMs: number): string[] {
  const { guests, report, sample, storeProblem } = host;
  const rows = [
    ...guests.map((guest) => storedRow(guest, nowMs)),
    ...(report?.guests ?? []).filter((guest) => guest.class === "exempt").map(exemptRow),
  ].toSorted((a, b) => order(a.list) - order(b.list) || a.name.localeCompare(b.name));
  const lines =
    rows.length === 0
      ? ["no guests"]
      : tableLines(
          [
            { title: "LIST", cell: ({ list }) => list },
            { title: "GUEST", cell: ({ name }) => visible(name) },
            { title: "COUNT", cell: ({ count }) => count, right: true },
            { title: "USED", cell: ({ usage }) => usage, right: true },
            { title: "FOR", cell: ({ since }) => since, right: true },
            { title: "DECLARED", cell: ({ declared }) => declared },
            { title: "UUID", cell: ({ uuid }) => uuid },
          ],
          rows,
        );
  for (const { name, reason } of sample?.unreadable ?? [])
    lines.push(visible(`unreadable: ${name}: ${reason}`));
  if (storeProblem !== null) lines.push(visible(`Redis: ${storeProblem}`));
  lines.push(...missingLines(host).map(visible));
  return lines.map((line) => `  ${line}`);
}

const order = (list: string): number => Object.values<string>(listName).indexOf(list);

function storedRow(
  { uuid, name, class: kind, count, usage, sinceMs, declared }: StoredGuest,
  nowMs: number,
): Row {
  const since = sinceMs === null ? "?" : lengthOf(nowMs - sinceMs);
  return { list: listName[kind], name, uuid, count: String(count), usage: percent(usage), since, declared };
}

function exemptRow({ uuid, name, usage }: GuestReport): Row {
  return { list: listName.exempt, name, uuid, count: "", usage: percent(usage), since: "", declared: "" };
}
