/** deploy/nats/nats-server.conf: hosts send their messages and read plans; nobody but the classifier writes one. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { connectBus, createLogger, Readiness, type Bus } from "@kvm-governor/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { Registry } from "prom-client";
import { PASSWORD, startDeployedNats, type Deployed } from "../support/deployed.ts";
import { waitFor } from "../support/service-process.ts";

let dir: string;
let nats: Deployed;
let control: Bus;
let host: Bus;

function connectAs(user: string, options: { password?: string; manage?: boolean } = {}): Bus {
  return connectBus({
    url: nats.url,
    user,
    password: options.password ?? PASSWORD,
    name: user,
    manage: options.manage ?? false,
    log: createLogger(user, "silent"),
    readiness: new Readiness(),
    registry: new Registry(),
  });
}

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), `kvmgov-nats-${process.pid}-`));
  nats = await startDeployedNats(dir);
  control = connectAs("control", { manage: true });
  host = connectAs("host");
  await waitFor("streams and bucket", 10_000, async () => {
    try {
      return control.up && host.up ? await control.plans.put("h1", { plan: 1 }, 0) : undefined;
    } catch (error) {
      if (/not found|no responders/i.test(String(error))) return undefined;
      throw error;
    }
  });
}, 60_000);

afterAll(async () => {
  await control?.close();
  await host?.close();
  await nats?.server.stop();
  await rm(dir, { recursive: true, force: true });
});

describe("the user of the hosts", () => {
  it("publishes samples, applied reports and host messages", async () => {
    for (const kind of ["sample", "applied", "host"] as const) await host.publish(kind, "h1", { kind });
  });

  it("reads plans, and sees new ones come", async () => {
    const entry = await host.plans.get("h1");
    expect(new TextDecoder().decode(entry?.data)).toBe('{"plan":1}');
    const seen: number[] = [];
    const stop = new AbortController();
    const watching = host.plans.watch(
      "h1",
      stop.signal,
      (plan) => seen.push(plan.revision),
      (error) => {
        throw error;
      },
    );
    await waitFor("the present plan", 5000, () => seen[0]);
    const revision = await control.plans.put("h1", { plan: 2 }, seen[0] ?? 0);
    await waitFor("the new plan", 5000, () => (seen.includes(revision) ? true : undefined));
    stop.abort();
    await watching;
  });

  it("cannot write a plan, neither as a new key nor over one", async () => {
    await expect(host.plans.put("h2", { evil: true }, 0)).rejects.toThrow(/permissions violation/i);
    const revision = (await control.plans.get("h1"))?.revision ?? 0;
    await expect(host.plans.put("h1", { evil: true }, revision)).rejects.toThrow(/permissions violation/i);
    expect((await control.plans.get("h1"))?.revision).toBe(revision);
    expect(await control.plans.get("h2")).toBeUndefined();
  });

  it("cannot read other hosts' samples", async () => {
    const stop = new AbortController();
    let received = 0;
    const consuming = host.consume("sample", "spy", stop.signal, () => void received++);
    await control.publish("sample", "h1", { secret: true });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    stop.abort();
    await consuming;
    expect(received).toBe(0);
  });
});

it("refuses a wrong password", async () => {
  const stranger = connectAs("control", { password: "wrong" });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(stranger.up).toBe(false);
  await stranger.close();
});
