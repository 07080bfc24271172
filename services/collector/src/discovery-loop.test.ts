import { describe, expect, it } from "@jest/globals";
import { DiscoveryLoop } from "./discovery-loop.ts";
import { FakeClock } from "./testing/fake-clock.ts";

function looped(isOftenNeeded: () => boolean) {
  const clock = new FakeClock();
  clock.now = 300;
  const looks: number[] = [];
  const loop = new DiscoveryLoop({ clock, look: () => looks.push(clock.now), isOftenNeeded });
  loop.start();
  return { clock, loop, looks };
}

describe("DiscoveryLoop", () => {
  it("looks each second where nobody tells of guests, else each five, on their multiples", () => {
    let isOften = true;
    const { clock, looks } = looped(() => isOften);
    clock.fire();
    isOften = false;
    for (let at = 0; at < 3; at++) clock.fire();
    isOften = true;
    for (let at = 0; at < 2; at++) clock.fire();
    expect(looks).toEqual([1000, 2000, 5000, 10_000, 15_000, 16_000]);
  });

  it("looks once shortly after it heard of changes, however many", () => {
    const { clock, loop, looks } = looped(() => false);
    for (let at = 0; at < 5; at++) loop.hear();
    clock.fire();
    loop.hear();
    clock.fire();
    clock.fire();
    expect(looks).toEqual([320, 340, 5000]);
  });

  it("looks often as soon as what was heard of needs it", () => {
    let isOften = false;
    const { clock, loop, looks } = looped(() => isOften);
    loop.hear();
    isOften = true;
    clock.fire();
    clock.fire();
    expect(looks).toEqual([320, 1000]);
  });

  it("leaves no timer behind, and hears no more", () => {
    const { clock, loop } = looped(() => false);
    loop.hear();
    loop.stop();
    loop.hear();
    expect(clock.waiting).toBe(0);
  });
});
