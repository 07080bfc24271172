import { describe, expect, it } from "@jest/globals";
import { Screen } from "./screen.ts";

function screenWith(isTTY: boolean): { screen: Screen; text: () => string } {
  let written = "";
  const screen = new Screen({ isTTY, columns: 10, write: (text: string) => (written += text) });
  return { screen, text: () => written };
}

/** What a terminal shows after all of it: only the two controls that the screen uses. */
function shown(text: string): string[] {
  let lines: string[] = [];
  for (const part of text.split(/(?=\u001b\[\d+A\r\u001b\[J)/)) {
    const up = /^\u001b\[(\d+)A\r\u001b\[J/.exec(part);
    const rest = part.slice(up?.[0].length ?? 0);
    lines = lines.slice(0, lines.length - Number(up?.[1] ?? 0));
    lines.push(...rest.split("\n").slice(0, -1));
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
