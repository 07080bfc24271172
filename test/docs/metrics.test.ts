import { describe, expect, it } from "@jest/globals";
import { readDeployed } from "../support/deployed.ts";
import { familiesOfServices } from "./families.ts";
import { metricsPage } from "./metrics-page.ts";

/** A table without the padding that prettier gives its columns. */
const withoutPadding = (text: string): string => text.replaceAll(/ *\| */g, "|").replaceAll(/-{3,}/g, "---");

describe("docs/metrics.md", () => {
  it("is what the code says (else: npm run docs)", async () => {
    expect(withoutPadding(await readDeployed("docs/metrics.md"))).toBe(withoutPadding(await metricsPage()));
  });

  it("gives a guest that is held 0 or 1, and how many are held as a count", async () => {
    const unitOf = async (name: string): Promise<string | undefined> =>
      withoutPadding(await metricsPage())
        .split("\n")
        .find((line) => line.startsWith(`|\`${name}\``))
        ?.split("|")[4];
    expect(await unitOf("kvmgov_actuator_guest_held")).toBe("0 or 1");
    expect(await unitOf("kvmgov_actuator_guests_held")).toBe("count");
  });

  it("has every family that a source names", async () => {
    const named = [...(await familiesOfServices()).values()].flat().map(({ name }) => name);
    const ofSources = await namesInSources();
    expect(ofSources.length).toBeGreaterThan(40);
    expect(ofSources.filter((name) => !named.includes(name))).toEqual([]);
  });

  it("names every label and family as Prometheus asks for", async () => {
    for (const [service, families] of await familiesOfServices()) {
      for (const { name, type, labels, help } of families) {
        expect(name).toMatch(/^kvmgov_[a-z][a-z0-9_]*$/);
        expect({ name, isTotal: name.endsWith("_total") }).toEqual({ name, isTotal: type === "counter" });
        expect({ name, help }).toEqual({ name, help: expect.stringMatching(/^\S.{3,}[^.\s]$/) });
        expect({ service, name, labels }).toEqual({
          service,
          name,
          // Never a changing text, a command line or a process id.
          labels: labels.filter((label) => LABELS.includes(label)),
        });
      }
    }
  });
});

const LABELS = [
  ...["class", "family", "host", "iothread", "kind", "name", "node", "outcome", "reason", "result"],
  ...["service", "setting", "source", "state", "to", "uuid", "vcpu", "version", "waiting_for"],
];

/** Names that stand in the sources in full. */
async function namesInSources(): Promise<string[]> {
  const files = [
    "services/classifier/src/metrics.ts",
    "services/classifier/src/guest-metrics.ts",
    "services/classifier/src/facts/metrics.ts",
    "services/classifier/src/store/redis-connection.ts",
    "services/actuator/src/metrics.ts",
    "services/actuator/src/main.ts",
    "services/collector/src/main.ts",
    "services/collector/src/metrics/guest-families.ts",
    "services/collector/src/metrics/host-families.ts",
    "services/collector/src/metrics/own-metrics.ts",
    "packages/service-kit/src/build-info.ts",
    "packages/service-kit/src/bus/metrics.ts",
    "packages/service-kit/src/bus/bus.ts",
    "packages/service-kit/src/reload-metrics.ts",
    "packages/service-kit/src/tracing/metrics.ts",
    "packages/service-kit/src/pages.ts",
  ];
  const texts = await Promise.all(files.map(readDeployed));
  return texts.flatMap((text) => [...text.matchAll(/"(kvmgov_\w+)"/g)].map((match) => match[1] ?? ""));
}
