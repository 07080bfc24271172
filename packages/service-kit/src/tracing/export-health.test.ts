import { expect, it } from "@jest/globals";
import { ExportHealth } from "./export-health.ts";

function watched() {
  const lines: string[] = [];
  const say = (fields: object): void => void lines.push(JSON.stringify(fields));
  return { lines, health: new ExportHealth({ warn: say, info: say }) };
}

const lost = (reason: string): string => JSON.stringify({ event: "traces-lost", reason });
const again = (spans: number): string => JSON.stringify({ event: "traces-sent-again", lost: spans });

it("says once that spans are lost, and once that they are sent again", () => {
  const { lines, health } = watched();
  health.update({ exported: 10, failed: 0, queueFull: 0 });
  expect(lines).toEqual([]);
  health.failed("ECONNREFUSED");
  health.failed("ECONNREFUSED");
  health.update({ exported: 10, failed: 20, queueFull: 3 });
  health.failed("ETIMEDOUT");
  expect(lines).toEqual([lost("ECONNREFUSED")]);
  health.update({ exported: 15, failed: 21, queueFull: 3 });
  expect(lines).toEqual([lost("ECONNREFUSED")]);
  health.update({ exported: 25, failed: 21, queueFull: 3 });
  health.update({ exported: 35, failed: 21, queueFull: 3 });
  expect(lines).toEqual([lost("ECONNREFUSED"), again(24)]);
  health.failed("again");
  expect(lines.at(-1)).toBe(lost("again"));
});

it("hears of a full queue by the counts alone", () => {
  const { lines, health } = watched();
  health.update({ exported: 10, failed: 0, queueFull: 1 });
  health.update({ exported: 20, failed: 0, queueFull: 2 });
  expect(lines).toEqual([lost("more spans than could be sent")]);
  expect(health.counts.queueFull).toBe(2);
});
