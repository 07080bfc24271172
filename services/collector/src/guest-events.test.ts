import { describe, expect, it } from "@jest/globals";
import type { Declared } from "@kvm-governor/policy";
import type { Guest } from "@kvm-governor/linux";
import { GuestEvents } from "./guest-events.ts";

const guest = (overrides: Partial<Guest> = {}): Guest => ({
  uuid: "00000000-0000-4000-8000-000000000001",
  name: "web",
  source: "libvirt",
  pid: 10,
  startTime: 1,
  state: "running",
  vcpus: [{ index: 0, tid: 11 }],
  ioThreads: [],
  emulatorTids: [10],
  ...overrides,
});

function listening() {
  const said: { event: unknown; text: string | undefined }[] = [];
  const say = (fields: object, text?: string): void =>
    void said.push({ event: (fields as { event?: unknown }).event, text });
  const events = new GuestEvents({ info: say, warn: say });
  return { events, said };
}
const none = { arrived: [], departed: [], restarted: [] };
const declared = (value: Declared) => (): Declared => value;

describe("GuestEvents", () => {
  it("says who came, began again and went", () => {
    const { events, said } = listening();
    events.changes({ ...none, arrived: [guest()] }, declared({ class: "auto" }));
    events.changes(
      { ...none, restarted: [{ before: guest(), now: guest({ pid: 20 }) }] },
      declared({ class: "auto" }),
    );
    events.changes({ ...none, departed: [guest()] }, declared({ class: "auto" }));
    expect(said.map(({ event }) => event)).toEqual(["guest-found", "guest-restarted", "guest-gone"]);
  });

  it.each([
    [{}, { class: "auto" }, undefined],
    [{ exemptReason: "dedicated" }, { class: "auto" }, "guest web is left alone: dedicated"],
    [
      { exemptReason: "dedicated" },
      { class: "auto", source: "rule 9" },
      "guest web is left alone: dedicated",
    ],
    [{ exemptReason: "dedicated" }, { class: "scientific" }, undefined],
    [{}, { class: "exempt" }, "guest web is left alone: declared"],
  ] as const)("says of %j declared %j: %s", (overrides, value, text) => {
    const { events, said } = listening();
    events.changes({ ...none, arrived: [guest(overrides)] }, declared(value));
    expect(said.find(({ event }) => event === "guest-exempt")?.text).toBe(text);
  });

  it("says of an unreadable guest once for each reason, and again after it was readable", () => {
    const { events, said } = listening();
    const broken = { name: 'a:b,c="d"\n', pid: 10, reason: "no threads" };
    for (const list of [[broken], [broken], [], [broken], [{ ...broken, reason: "other" }]])
      events.unreadable(list);
    expect(said).toHaveLength(3);
    expect(said[0]?.text).toBe('guest "a:b,c=\\"d\\"\\n" cannot be read: no threads');
  });
});
