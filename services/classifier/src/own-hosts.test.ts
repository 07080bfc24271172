import { describe, expect, it } from "@jest/globals";
import { UNPARTITIONED, partitionOf, subjects, unpartitionedSubject } from "@kvm-governor/policy";
import { OwnHosts } from "./own-hosts.ts";

const heard = (hosts: OwnHosts, host: string, subject = subjects.sample(host)): void =>
  hosts.heard({ host, subject });

describe("OwnHosts", () => {
  it("lets go the hosts of the partitions that went, and no others", () => {
    const hosts = new OwnHosts();
    heard(hosts, "h1");
    heard(hosts, "h2");
    expect(partitionOf("h1")).not.toBe(partitionOf("h2"));
    const isGone = hosts.release(new Set([partitionOf("h1")]));
    expect([isGone("h1"), isGone("h2"), isGone("h3")]).toEqual([true, false, false]);
    expect([hosts.has("h1"), hosts.has("h2")]).toEqual([false, true]);
    heard(hosts, "h1");
    expect(hosts.has("h1")).toBe(true);
    // What was let go then stays so for whoever asks.
    expect(isGone("h1")).toBe(true);
  });

  it("knows hosts of version 0.1 by the partition that they share", () => {
    const hosts = new OwnHosts();
    heard(hosts, "old", unpartitionedSubject("sample", "old"));
    heard(hosts, "new");
    expect(hosts.release(new Set([partitionOf("old")]))("old")).toBe(false);
    const isGone = hosts.release(new Set([UNPARTITIONED]));
    expect([isGone("old"), isGone("new")]).toEqual([true, false]);
  });
});
