import { describe, expect, it } from "@jest/globals";
import type { Host } from "@kvm-governor/policy";
import { BOOT, OTHER_BOOT, hostOf } from "./testing/samples.ts";
import { Topologies } from "./topologies.ts";

const sample = { host: "h", bootId: BOOT };
const ofOneNode = hostOf("h", [0, 0]);
const ofTwoNodes = hostOf("h", [0, 1]);

function announcedBy(...hosts: Host[]): Topologies {
  const topologies = new Topologies();
  for (const host of hosts) topologies.announced(host);
  return topologies;
}

describe("Topologies", () => {
  it("know what a host announced last", () => {
    expect([...(announcedBy(ofOneNode, ofTwoNodes).of(sample)?.nodes ?? [])]).toEqual([0, 1]);
  });

  it("know nothing of other hosts and other boots", () => {
    const topologies = announcedBy(ofOneNode);
    expect(topologies.of({ ...sample, host: "other" })).toBeUndefined();
    expect(topologies.of({ ...sample, bootId: OTHER_BOOT })).toBeUndefined();
  });

  it("are not made anew by a heartbeat", () => {
    const topologies = announcedBy(ofOneNode);
    const before = topologies.of(sample);
    topologies.announced({ ...ofOneNode, wallTimeMs: 2, topology: [...ofOneNode.topology] });
    expect(topologies.of(sample)).toBe(before);
    topologies.announced(ofTwoNodes);
    expect(topologies.of(sample)).not.toBe(before);
  });
});
