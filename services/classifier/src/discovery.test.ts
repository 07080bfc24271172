import { describe, expect, it } from "@jest/globals";
import type { Host } from "@kvm-governor/policy";
import { prometheusTargets } from "./discovery.ts";
import type { HostView } from "./views.ts";

const NOW = 1_700_000_000_000;

function host(id: string, metrics: Record<string, string>, ageMs = 0): [string, HostView] {
  const message: Host = {
    schema: 1,
    host: id,
    name: `${id}.example`,
    bootId: "00000000-0000-4000-8000-000000000000",
    wallTimeMs: 0,
    kernel: "6.1",
    cgroupVersion: 2,
    topology: [{ cpu: 0, package: 0, node: 0, llc: 0, core: 0, isolated: false }],
    capabilities: [],
    metrics,
  };
  return [id, { announced: { host: message, receivedAtMs: NOW - ageMs } }];
}

const addresses = (...hosts: [string, HostView][]): string[] =>
  prometheusTargets(hosts, NOW, () => true).flatMap(({ targets }) => targets);

describe("prometheusTargets", () => {
  it("lists collector and actuator of each host, with what Prometheus may relabel", () => {
    const metrics = { collector: "http://h1.example:9471", actuator: "https://h1.example/metrics" };
    expect(prometheusTargets([host("h1", metrics)], NOW, () => true)).toEqual([
      {
        targets: ["h1.example:9471"],
        labels: {
          __scheme__: "http",
          __meta_kvmgov_service: "collector",
          __meta_kvmgov_host: "h1",
          __meta_kvmgov_host_name: "h1.example",
          __meta_kvmgov_last_seen_seconds: String(NOW / 1000),
        },
      },
      {
        targets: ["h1.example:443"],
        labels: expect.objectContaining({ __scheme__: "https", __meta_kvmgov_service: "actuator" }),
      },
    ]);
  });

  it("leaves out what is not allowed, and says so", () => {
    const pages = host("h1", { collector: "http://10.0.0.1:1", actuator: "http://[fd00::1]:2" });
    let refused = 0;
    const targets = prometheusTargets(
      [pages],
      NOW,
      (name) => name === "10.0.0.1",
      () => refused++,
    );
    expect(targets.flatMap((target) => target.targets)).toEqual(["10.0.0.1:1"]);
    expect(refused).toBe(1);
  });

  it("keeps a silent host for an hour, so that its absence is told, and then lets it go", () => {
    const metrics = { collector: "http://h:1" };
    expect(addresses(host("h1", metrics, 3_600_000))).toEqual(["h:1"]);
    expect(addresses(host("h1", metrics, 3_600_001))).toEqual([]);
    expect(prometheusTargets([["h1", {}]], NOW, () => true)).toEqual([]);
  });

  it("orders hosts, so that a refresh changes nothing that did not change", () => {
    const [a, b] = [host("a", { collector: "http://a:1" }), host("b", { collector: "http://b:1" })];
    expect(addresses(b, a)).toEqual(["a:1", "b:1"]);
  });

  it.each([
    ["file:///etc/passwd"],
    ["ftp://h:21"],
    ["http://user:secret@h:1"],
    ["http://h:1/latest/meta-data"],
    ["http://h:1/?a=b"],
    ["no address"],
  ])("leaves out %s", (address) => {
    expect(addresses(host("h1", { collector: address, actuator: "http://[::1]:9473" }))).toEqual([
      "[::1]:9473",
    ]);
  });

  it("leaves out services that do not run on hosts", () => {
    expect(addresses(host("h1", { classifier: "http://h:1", admin: "http://h:2" }))).toEqual([]);
  });
});
