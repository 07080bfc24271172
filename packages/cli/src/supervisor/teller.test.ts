import { describe, expect, it } from "@jest/globals";
import { Teller } from "./teller.ts";

const NOW = new Date("2026-11-20T10:00:00.000Z");
const EVENT = {
  service: "actuator",
  level: "info",
  event: "plan-followed",
  msg: "plan 2",
  time: NOW.toISOString(),
};

function said(json: boolean, talk: (teller: Teller) => void): string[] {
  const lines: string[] = [];
  talk(
    new Teller(
      json,
      (line) => lines.push(line),
      () => NOW,
    ),
  );
  return lines;
}

describe("Teller", () => {
  it("tells people what is of interest, line by line", () => {
    const lines = said(false, (teller) => {
      teller.event(EVENT);
      teller.event({ ...EVENT, event: "drift", msg: "somebody wrote" });
      teller.say("up", ["", "it is up"], { urls: {} });
    });
    expect(lines).toEqual([expect.stringMatching(/somebody wrote$/), "", "it is up"]);
  });

  it("tells programs everything, each event on one line", () => {
    const lines = said(true, (teller) => {
      teller.event(EVENT);
      teller.say("stopped", ["", "every guest", "is as it was"], { restored: true });
    });
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      EVENT,
      {
        service: "kvmgov",
        level: "info",
        time: NOW.toISOString(),
        event: "stopped",
        msg: "every guest is as it was",
        restored: true,
      },
    ]);
  });
});
