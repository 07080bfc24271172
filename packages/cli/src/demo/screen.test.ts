import { describe, expect, it } from "@jest/globals";
import { Screen } from "./screen.ts";

function screenWith(isTTY: boolean): { screen: Screen; text: () => string } {
  let written = "";
  const screen = new Screen({ isTTY, columns: 10, write: (text: string) => (written += text) });
  return { screen, text: () => written };
}

const ESCAPE = "\u001b";

/** What a terminal shows after all of it: only the control that the screen uses (go up N lines, clear from there). */
function shown(text: string): string[] {
  const lines: string[] = [];
  for (const [i, part] of text.split(`${ESCAPE}[J`).entries()) {
    const [before = "", up] = part.split(ESCAPE);
    lines.push(...before.split("\n").slice(0, -1));
    const rows = Number(/^\[(\d+)A\r$/.exec(up ?? "")?.[1] ?? (up === undefined ? 0 : Number.NaN));
    if (Number.isNaN(rows)) throw new Error(`unknown control in part ${i}: ${JSON.stringify(part)}`);
    if (rows > 0) lines.splice(lines.length - rows);
  }
  return lines;
}

describe("the screen", () => {
  it("draws a block in place, below the lines that stay", () => {
    const { screen, text } = screenWith(true);
    screen.say("begin");
    screen.show(["a 1", "b 1"]);
    screen.say("moved");
    screen.show(["a 2", "b 2", "c 2"]);
    screen.show(["a 3"]);
    expect(shown(text())).toEqual(["begin", "moved", "a 3"]);
  });

  it("cuts lines of a block that would wrap", () => {
    const { screen, text } = screenWith(true);
    screen.show(["0123456789abc"]);
    expect(shown(text())).toEqual(["012345678"]);
  });

  it("takes the block away when it is empty", () => {
    const { screen, text } = screenWith(true);
    screen.show(["table"]);
    screen.show([]);
    screen.say("summary");
    expect(shown(text())).toEqual(["summary"]);
  });

  it("writes plain lines and no block where there is no terminal", () => {
    const { screen, text } = screenWith(false);
    screen.show(["table"]);
    screen.say("line");
    expect(text()).toBe("line\n");
  });
});
