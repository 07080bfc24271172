/** deploy/alertmanager/alertmanager.yml on a real Alertmanager: what is held back because of what, when, and how often. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import type { HttpServer } from "@kvm-governor/lab";
import { parse, stringify } from "yaml";
import { AlertReceiver, startDeployedAlertmanager, waitingASecond } from "../support/alert-receiver.ts";
import { replaceOnce } from "../support/deployed.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";

type Labels = Record<string, string>;

/** A pair of alerts of which the first is the reason for the second, and one that stays itself beside them. */
interface Case {
  name: string;
  /** Place of the rule in inhibit_rules. */
  rule: number;
  source: Labels;
  target: Labels;
  beside: Labels;
}

const CASES: readonly Case[] = [
  {
    name: "a host that is down is the reason for what it misses, and no other host's",
    rule: 0,
    source: { alertname: "KvmgovHostDown", severity: "critical", host: "h1" },
    target: { alertname: "KvmgovPlanStale", severity: "warning", host: "h1" },
    beside: { alertname: "KvmgovPlanStale", severity: "warning", host: "h2" },
  },
  {
    name: "without any classifier all hosts seem silent; guests that could not be put back are told all the same",
    rule: 1,
    source: { alertname: "KvmgovClassifierMissing", severity: "critical" },
    target: { alertname: "KvmgovHostDown", severity: "critical", host: "h1" },
    beside: { alertname: "KvmgovActuatorFailing", severity: "critical", host: "h1" },
  },
  {
    name: "a host without NATS is the reason for what it misses, and for no other host's alerts",
    rule: 2,
    source: { alertname: "KvmgovBusDown", severity: "critical", job: "kvmgov-actuator", host: "h1" },
    target: { alertname: "KvmgovDeadMansSwitch", severity: "critical", host: "h1" },
    beside: { alertname: "KvmgovDeadMansSwitch", severity: "critical", host: "h2" },
  },
  {
    name: "why no classifier works is told in place of that none does",
    rule: 3,
    source: { alertname: "KvmgovBusDown", severity: "critical", job: "kvmgov-classifier", instance: "c1" },
    target: { alertname: "KvmgovClassifierMissing", severity: "critical" },
    beside: { alertname: "KvmgovActuatorFailing", severity: "critical", host: "h1" },
  },
  {
    name: "of two severities the worse is told, for the same guest",
    rule: 4,
    source: { alertname: "KvmgovGuestStealHigh", severity: "critical", host: "h1", uuid: "a" },
    target: { alertname: "KvmgovGuestStealHigh", severity: "warning", host: "h1", uuid: "a" },
    beside: { alertname: "KvmgovGuestStealHigh", severity: "warning", host: "h1", uuid: "b" },
  },
  {
    name: "a service guest that we throttle is told once",
    rule: 5,
    source: { alertname: "KvmgovServiceGuestThrottled", severity: "warning", host: "h1", uuid: "a" },
    target: { alertname: "KvmgovGuestThrottled", severity: "info", host: "h1", uuid: "a" },
    beside: { alertname: "KvmgovGuestThrottled", severity: "info", host: "h1", uuid: "b" },
  },
];

describeWith(["alertmanager"], "Alertmanager with the deployed file", () => {
  let dir: string;
  let receiver: AlertReceiver;
  let alertmanager: HttpServer | undefined;

  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), `kvmgov-alertmanager-${process.pid}-`));
    receiver = await AlertReceiver.start();
  });

  afterEach(async () => {
    await alertmanager?.server.stop();
    alertmanager = undefined;
    receiver.close();
    await rm(dir, { recursive: true });
  });

  const start = async (edit: (text: string) => string): Promise<void> => {
    alertmanager = await startDeployedAlertmanager(dir, receiver, edit);
  };

  /** As Prometheus does. */
  async function fire(...alerts: Labels[]): Promise<void> {
    const response = await fetch(`${alertmanager?.url}/api/v2/alerts`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(alerts.map((labels) => ({ labels }))),
    });
    expect(response.status).toBe(200);
  }

  const isTold = (wanted: Labels): boolean =>
    receiver.alerts.some(({ labels }) =>
      Object.entries(wanted).every(([name, value]) => labels[name] === value),
    );
  const told = (...wanted: Labels[]): Promise<true> =>
    waitFor(`all of ${JSON.stringify(wanted)}`, 15_000, () => wanted.every(isTold) || undefined);

  it.each(CASES)(
    "$name",
    async ({ source, target, beside }) => {
      await start(waitingASecond);
      await fire(source, target, beside);
      await told(source, beside);
      // Groups wait alike: what was to be told with these was told by now, or by the next round.
      await new Promise((resolve) => setTimeout(resolve, 3000));
      expect(isTold(target)).toBe(false);
    },
    30_000,
  );

  it.each(CASES)(
    "not so without its rule: $name",
    async ({ rule, source, target, beside }) => {
      await start((text) => waitingASecond(withoutRule(text, rule)));
      await fire(source, target, beside);
      await told(source, target, beside);
    },
    30_000,
  );

  const bus = { alertname: "KvmgovBusDown", severity: "critical" };
  const host = { severity: "critical", host: "h1" };

  it("tells of a host that is silent because it has no NATS, once", async () => {
    await start(waitingASecond);
    const [down, silent] = [
      { ...bus, ...host, job: "kvmgov-collector" },
      { ...host, alertname: "KvmgovHostDown" },
    ];
    await fire(down, silent);
    await told(down);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(isTold(silent)).toBe(false);
  }, 30_000);

  it("tells hosts' alerts while one of several classifiers has no NATS: others decide for them", async () => {
    await start(waitingASecond);
    const down = { ...bus, job: "kvmgov-classifier", instance: "c1" };
    const fired = { ...host, alertname: "KvmgovDeadMansSwitch" };
    await fire(down, fired);
    await told(down, fired);
  }, 30_000);

  it("tells why nothing is decided anywhere, and nothing else, while no classifier has NATS", async () => {
    await start(waitingASecond);
    const down = { ...bus, job: "kvmgov-classifier", instance: "c1" };
    const missing = { alertname: "KvmgovClassifierMissing", severity: "critical" };
    const fired = { ...host, alertname: "KvmgovDeadMansSwitch" };
    await fire(down, missing, fired);
    await told(down);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect([missing, fired].filter(isTold)).toEqual([]);
  }, 30_000);

  const warning = { alertname: "KvmgovDrift", severity: "warning", host: "h1" };
  const critical = { alertname: "KvmgovActuatorFailing", severity: "critical", host: "h1" };
  const order = (): unknown[] => receiver.alerts.slice(0, 2).map(({ labels }) => labels["alertname"]);
  const scaled = (text: string): string =>
    text
      .replaceAll("group_wait: 30s", "group_wait: 4s")
      .replaceAll("group_wait: 10s", "group_wait: 500ms")
      .replaceAll("group_interval: 5m", "group_interval: 1s");

  it("tells what is critical before what is not", async () => {
    await start(scaled);
    await fire(warning);
    await fire(critical);
    await told(warning, critical);
    expect(order()).toEqual(["KvmgovActuatorFailing", "KvmgovDrift"]);
  }, 30_000);

  it("would tell them in their order without a route for what is critical", async () => {
    const route = '    - matchers: [severity="critical"]\n      group_wait: 10s\n      repeat_interval: 1h\n';
    await start((text) => scaled(replaceOnce(text, route, "")));
    await fire(warning);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await fire(critical);
    await told(warning, critical);
    expect(order()).toEqual(["KvmgovDrift", "KvmgovActuatorFailing"]);
  }, 30_000);

  it("repeats what is critical sooner, and what is for information later", async () => {
    const info = { alertname: "KvmgovGuestThrottled", severity: "info", host: "h1" };
    // An hour is a second.
    await start((text) =>
      waitingASecond(text).replaceAll(/repeat_interval: (\d+)h/g, "repeat_interval: $1s"),
    );
    await fire(info, warning, critical);
    const times = ({ alertname }: { alertname: string }): number =>
      receiver.alerts.filter(({ labels }) => labels["alertname"] === alertname).length;
    await waitFor("the critical one comes again and again", 40_000, () => times(critical) >= 8 || undefined);
    expect(times(warning)).toBeGreaterThan(1);
    expect(times(warning)).toBeLessThan(times(critical));
    expect(times(info)).toBe(1);
  }, 60_000);

  it("tells what belongs to one host and alert in one message", async () => {
    await start(waitingASecond);
    const of = (host: string, uuid: string): Labels => ({ ...warning, host, uuid });
    await fire(of("h1", "a"), of("h1", "b"), of("h2", "c"));
    await told(of("h1", "a"), of("h1", "b"), of("h2", "c"));
    const groups = receiver.notifications.map(({ groupLabels, alerts }) => [groupLabels, alerts.length]);
    expect(groups).toEqual(
      expect.arrayContaining([
        [{ alertname: "KvmgovDrift", host: "h1" }, 2],
        [{ alertname: "KvmgovDrift", host: "h2" }, 1],
      ]),
    );
    expect(groups).toHaveLength(2);
  }, 30_000);
});

/** The file without one of its inhibition rules. */
function withoutRule(text: string, rule: number): string {
  const config = parse(text) as { inhibit_rules: unknown[] };
  expect(config.inhibit_rules).toHaveLength(CASES.length);
  config.inhibit_rules.splice(rule, 1);
  return stringify(config);
}
