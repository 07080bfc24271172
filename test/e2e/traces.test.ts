/**
 * One trace a tick, from the sample to its read-back: real services, NATS, Redis and a real guest, and a receiver that decodes what OTLP
 * brings it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { startLibvirt, type Guest, type Libvirt } from "@kvm-governor/lab";
import { parseContract, parseTraceparent, sampleSchema } from "@kvm-governor/policy";
import { connect, headers } from "@nats-io/transport-node";
import { tickKey } from "../../services/classifier/src/store/keys.ts";
import { ControlPlane } from "../support/control-plane.ts";
import { OtlpReceiver } from "../support/otlp-receiver.ts";
import type { ReceivedSpan } from "../support/otlp-spans.ts";
import { describeWith } from "../support/requirements.ts";
import { ServiceProcess, waitFor } from "../support/service-process.ts";
import { UpProcess } from "../support/up-process.ts";

jest.setTimeout(90_000);

const HOST = "traces-e2e";
const PERIOD_MS = 200;
const TICKS = 20;

const SAMPLE = "kvmgov.v1.sample.{host}";
const PLAN = "$KV.plans.{host}";
const APPLIED = "kvmgov.v1.applied.{host}";

/** Every span of a tick that changes nothing: service, kind, name, and the name of its parent. */
const STEADY_TICK = [
  ["kvmgov-collector", "internal", "tick", undefined],
  ["kvmgov-collector", "internal", "read", "tick"],
  ["kvmgov-collector", "producer", `publish ${SAMPLE}`, "tick"],
  ["kvmgov-classifier", "consumer", `process ${SAMPLE}`, `publish ${SAMPLE}`],
  ["kvmgov-classifier", "internal", "decide", `process ${SAMPLE}`],
  ["kvmgov-classifier", "client", "commit state", `process ${SAMPLE}`],
  ["kvmgov-classifier", "producer", `publish ${PLAN}`, `process ${SAMPLE}`],
  ["kvmgov-actuator", "consumer", `process ${PLAN}`, `publish ${PLAN}`],
  ["kvmgov-actuator", "internal", "apply plan", `process ${PLAN}`],
  ["kvmgov-actuator", "producer", `publish ${APPLIED}`, `process ${PLAN}`],
  ["kvmgov-classifier", "consumer", `process ${APPLIED}`, `publish ${APPLIED}`],
] as const;

const WHOLE = STEADY_TICK.map(([, , name]) => name);

/** A sample as its stream has it. */
interface Seen {
  sequence: number;
  traceparent: string | undefined;
}

describeWith(["root", "kvm", "cgroup-v1", "lab", "servers"], "traces", () => {
  const samples: Seen[] = [];
  const done = new AbortController();
  const services: ServiceProcess[] = [];
  let receiver: OtlpReceiver;
  let plane: ControlPlane;
  let libvirt: Libvirt;
  let solver: Guest;
  let hostEnv: Record<string, string>;
  let traced: Record<string, string>;

  const startOn = async (
    name: "collector" | "classifier" | "actuator",
    env: Record<string, string>,
  ): Promise<ServiceProcess> => {
    const service =
      name === "classifier"
        ? await plane.classifier(env)
        : await ServiceProcess.start(name, { ...hostEnv, ...env });
    services.push(service);
    return service;
  };
  /** All three services with the same environment. */
  const startAll = async (env: Record<string, string>) => ({
    classifier: await startOn("classifier", env),
    actuator: await startOn("actuator", env),
    collector: await startOn("collector", env),
  });
  const stopAll = async (): Promise<(number | null)[]> => {
    const codes: (number | null)[] = [];
    for (const service of services.splice(0).reverse()) codes.push(await service.stop());
    return codes;
  };
  /** Waits until `count` more samples are published. @returns these */
  const moreSamples = async (count: number): Promise<Seen[]> => {
    const from = samples.length;
    await waitFor(`${count} samples`, 30_000, () => (samples.length >= from + count ? true : undefined));
    return samples.slice(from, from + count);
  };
  const traceIdOf = ({ traceparent }: Seen): string =>
    parseTraceparent(traceparent ?? "")?.traceId ?? "no trace";
  const wholeTrace = (tick: Seen | undefined): Promise<ReceivedSpan[]> =>
    receiver.untilTrace(tick === undefined ? "no tick" : traceIdOf(tick), WHOLE);
  const expectNoSecrets = (): void => {
    const text = JSON.stringify(receiver.spans, (_key, value: unknown) =>
      typeof value === "bigint" ? value.toString() : value,
    );
    for (const secret of [
      plane.nats.password,
      plane.redisServer.password,
      readFileSync("/etc/machine-id", "utf8").trim(),
    ])
      expect(text.includes(secret)).toBe(false);
    expect(text).not.toMatch(/command|argv|process\.|host\.id|main\.ts|qemu-system|-name/);
    // Names are few: no id is a part of one.
    expect(new Set(receiver.spans.map(({ name }) => name)).size).toBeLessThan(20);
  };
  const publishedPlan = async (): Promise<Record<string, unknown>> => {
    const entry = await plane.bus.plans.get(HOST);
    return JSON.parse(new TextDecoder().decode(entry?.data)) as Record<string, unknown>;
  };

  beforeAll(async () => {
    receiver = await OtlpReceiver.start();
    plane = await ControlPlane.start();
    libvirt = await startLibvirt();
    solver = await libvirt.defineAndStart({ name: "solver", load: { percent: 100 } });
    void plane.bus.consume("sample", "test", done.signal, (message) => {
      message.ack();
      if (message.host !== HOST) return;
      const { sequence } = parseContract(sampleSchema, message.data, message.subject);
      samples.push({ sequence, traceparent: message.traceparent });
    });
    const policyFile = join(plane.dir, "policy.yaml");
    const rules = [
      { match: { uuid: solver.uuid }, class: "scientific" },
      { match: { name: "*" }, class: "exempt" },
    ];
    writeFileSync(policyFile, JSON.stringify({ rules }));
    hostEnv = {
      KVMGOV_HOST_ID: HOST,
      KVMGOV_NATS_URL: plane.nats.url,
      KVMGOV_NATS_USER: plane.nats.user,
      KVMGOV_NATS_PASSWORD: plane.nats.password,
      KVMGOV_LIBVIRT_RUN_DIR: join(libvirt.runDir, "qemu"),
      KVMGOV_RUN_DIR: plane.dir,
      KVMGOV_STATE_DIR: plane.dir,
      KVMGOV_POLICY_FILE: policyFile,
      KVMGOV_CHECK_PERIOD_MS: String(PERIOD_MS),
    };
    traced = {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_BSP_SCHEDULE_DELAY: "100",
    };
  }, 120_000);

  afterEach(async () => {
    await stopAll();
    receiver.manner = "take";
    expect(receiver.errors).toEqual([]);
  });

  afterAll(async () => {
    done.abort();
    await stopAll();
    await libvirt?.stop();
    await plane?.stop();
    await receiver?.stop();
  }, 60_000);

  describe("of ticks", () => {
    test("are one connected trace for every tick, with what each service did", async () => {
      const { classifier, actuator } = await startAll(traced);
      await actuator.event("plan-followed", 20_000);
      const ticks = await moreSamples(TICKS);
      expect(new Set(ticks.map(traceIdOf)).size).toBe(TICKS);
      const traces = [];
      for (const tick of ticks) traces.push(await wholeTrace(tick));
      for (const [at, trace] of traces.entries()) {
        expect(trace.filter(isRoot).map(({ name }) => name)).toEqual(["tick"]);
        expect(trace.filter((span) => !isRoot(span) && parentIn(trace, span) === undefined)).toEqual([]);
        // A tick that moved something has more: what is always there, is there.
        expect(trace.map((span) => shapeIn(trace, span))).toEqual(expect.arrayContaining([...STEADY_TICK]));
        expect(trace.every(({ isError }) => !isError)).toBe(true);
        expect(sequencesOf(trace)).toEqual([ticks[at]?.sequence]);
        expect(trace.filter((span) => !endsAfterItsParentBegan(trace, span))).toEqual([]);
      }
      const steady = traces.filter((trace) => trace.length === STEADY_TICK.length);
      expect(steady.length).toBeGreaterThan(0);
      // Where the message came from is what the message says.
      for (const [at, tick] of ticks.entries()) {
        const published = traces[at]?.find(({ name }) => name === `publish ${SAMPLE}`);
        expect(published?.spanId).toBe(parseTraceparent(tick.traceparent ?? "")?.spanId);
      }
      const { plans } = Object.groupBy(traces.flat(), ({ name }) =>
        name === `process ${PLAN}` ? "plans" : "others",
      );
      expect(plans).toHaveLength(TICKS);
      for (const { attributes } of plans ?? []) {
        expect(attributes).toMatchObject({
          "kvmgov.values.verified": expect.any(Number),
          "kvmgov.writes": expect.any(Number),
        });
      }
      expectNoSecrets();
      expect(await classifier.metric("kvmgov_traces_enabled")).toBe(1);
      expect(await classifier.metric("kvmgov_traces_spans_sent_total")).toBeGreaterThan(0);
      expect(await classifier.metric('kvmgov_traces_spans_lost_total{reason="failed"}')).toBe(0);
    });

    test("show the first plan's journal, writes and read-back, and what later ones renew", async () => {
      const { actuator, classifier } = await startAll(traced);
      const followed = await actuator.event("plan-followed", 20_000);
      const first = String(followed["trace_id"]);
      const trace = await receiver.untilTrace(first, [...WHOLE, "hold guest"]);
      expect(trace.map((span) => shapeIn(trace, span))).toEqual(
        expect.arrayContaining([
          ["kvmgov-actuator", "internal", "hold guest", "apply plan"],
          ["kvmgov-actuator", "internal", "journal", "hold guest"],
          ["kvmgov-actuator", "internal", "write", "hold guest"],
          ["kvmgov-actuator", "internal", "read back", "hold guest"],
        ]),
      );
      expect(trace.find(({ name }) => name === "hold guest")?.attributes).toMatchObject({
        "kvmgov.guest.uuid": solver.uuid,
      });
      // The same generation with newer samples: each a trace of its own that points to the one that it renews.
      const later = [];
      for (const tick of await moreSamples(5)) later.push(await wholeTrace(tick));
      const plans = later.flat().filter(({ name }) => name === `process ${PLAN}`);
      const renewals = plans.filter(({ links }) => links.length > 0);
      expect(renewals.length).toBeGreaterThan(0);
      for (const { links, attributes, traceId } of renewals) {
        const begun = await receiver.untilTrace(links[0]?.traceId ?? "none", WHOLE);
        expect(begun.find(({ spanId }) => spanId === links[0]?.spanId)?.name).toBe(`publish ${PLAN}`);
        // An actuator that starts goes on with the plan that lies there: the one before it may have followed it, too.
        const origins = begun.filter(({ name }) => name === `process ${PLAN}`);
        expect(origins.some((origin) => origin.links.length === 0)).toBe(true);
        for (const origin of origins) {
          expect(origin.attributes["kvmgov.generation"]).toBe(attributes["kvmgov.generation"]);
          expect(origin.traceId).not.toBe(traceId);
        }
      }
      // What was said of a tick is found by its trace.
      const said = [...actuator.log, ...classifier.log].filter(({ trace_id: id }) => id === first);
      const events = said.map(({ event }) => event);
      expect(events).toContain("plan-followed");
      // What is held, and so what is said to change, is the kernel's and the preset's business.
      expect(events.some((event) => /^(quota|weight|cpus)-changed$/.test(event ?? ""))).toBe(true);
      expect(actuator.events("listening")[0]).not.toHaveProperty("trace_id");
      await actuator.stop();
      const back = await waitFor("the end's trace", 5000, () =>
        receiver.spans.findLast(({ name }) => name === "take back"),
      );
      expect(back).toMatchObject({ parentSpanId: "", attributes: { "kvmgov.switch.reason": "stopped" } });
      expect(receiver.spans.find(({ spanId }) => spanId === back.links[0]?.spanId)?.name).toBe(
        `publish ${PLAN}`,
      );
    });

    test("show a commit that was lost, and the decision after it, in the same trace", async () => {
      const { actuator } = await startAll(traced);
      await actuator.event("plan-followed", 20_000);
      await moreSamples(2);
      // As if another classifier had committed a tick of this host that this one has not seen.
      await plane.redis.hincrby(tickKey(HOST), "version", 1);
      const lost = await waitFor("a lost commit", 15_000, () =>
        receiver.spans.find(({ attributes }) => attributes["kvmgov.commit"] === "conflict"),
      );
      const trace = await receiver.untilTrace(lost.traceId, [...WHOLE, "load state"]);
      const steps = trace
        .filter(({ parentSpanId }) => parentSpanId === lost.parentSpanId)
        .map(({ name }) => name);
      expect(steps).toEqual(
        ["decide", "commit state", "load state", "decide", "commit state", `publish ${PLAN}`].slice(
          -steps.length,
        ),
      );
      expect(steps.length).toBe(6);
      expect(
        trace
          .filter(({ name }) => name === "commit state")
          .map(({ attributes }) => attributes["kvmgov.commit"]),
      ).toEqual(["conflict", "committed"]);
      expect(trace.some(({ isError }) => isError)).toBe(false);
    });

    test("arrive as protobuf, too, which is the default", async () => {
      const { OTEL_EXPORTER_OTLP_PROTOCOL: _json, ...rest } = traced;
      const { actuator } = await startAll({
        ...rest,
        OTEL_SERVICE_NAME: "mine",
        OTEL_RESOURCE_ATTRIBUTES: "site=lab",
      });
      await actuator.event("plan-followed", 20_000);
      const from = receiver.requests.length;
      const [, tick] = await moreSamples(2);
      const trace = await wholeTrace(tick);
      expect(trace.map(({ kind, name }) => [kind, name])).toEqual(
        expect.arrayContaining(STEADY_TICK.map(([, kind, name]) => [kind, name])),
      );
      expect(new Set(receiver.requests.slice(from).map(({ path, type }) => `${path} ${type}`))).toEqual(
        new Set(["/v1/traces application/x-protobuf"]),
      );
      expect(new Set(trace.map(({ service, resource }) => `${service} ${resource["site"]}`))).toEqual(
        new Set(["mine lab"]),
      );
      expect(new Set(trace.map(({ scope }) => scope)).size).toBe(3);
    });

    test("are handed on as not sampled, and nothing is sent of them", async () => {
      const { actuator } = await startAll({
        ...traced,
        OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG: "0",
      });
      await actuator.event("plan-followed", 20_000);
      const from = receiver.requests.length;
      const ticks = await moreSamples(5);
      for (const { traceparent } of ticks) expect(traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
      expect((await publishedPlan())["traceparent"]).toMatch(/-00$/);
      await stopAll();
      expect(receiver.requests.length).toBe(from);
    });
  });

  describe("against what may go wrong", () => {
    test("take no harm from a host's traceparent, and still tell the tick", async () => {
      const classifier = await startOn("classifier", traced);
      const nats = await connect({
        servers: plane.nats.url,
        user: plane.nats.user,
        pass: plane.nats.password,
      });
      const hostile = [
        "",
        "00-",
        "x".repeat(60_000),
        `00-${"0".repeat(32)}-${"0".repeat(16)}-01`,
        "ff-1-2-3",
        "é\t",
      ];
      const sequences = hostile.map((_, at) => 1_000_000 + at);
      for (const [at, traceparent] of hostile.entries()) {
        const carrier = headers();
        carrier.set("traceparent", traceparent);
        carrier.append("traceparent", "00-second-value");
        carrier.set("tracestate", "a=b,".repeat(100));
        carrier.set("baggage", "secret=1");
        nats.publish("kvmgov.v1.sample.hostile", JSON.stringify(emptySample("hostile", sequences[at] ?? 0)), {
          headers: carrier,
        });
      }
      await nats.flush();
      await nats.close();
      await plane.committed("hostile", sequences.at(-1) ?? 0);
      const spans = await waitFor("their spans", 10_000, () => {
        const own = receiver.spans.filter(
          ({ name, attributes }) => name === `process ${SAMPLE}` && attributes["kvmgov.host"] === "hostile",
        );
        return own.length === hostile.length ? own : undefined;
      });
      expect(spans.map(({ parentSpanId }) => parentSpanId)).toEqual(hostile.map(() => ""));
      expect(spans.map(({ attributes }) => attributes["kvmgov.sequence"])).toEqual(sequences);
      expect(classifier.events("failed")).toEqual([]);
    });

    test("show a message that was refused, and why", async () => {
      await startOn("classifier", traced);
      const carrier = headers();
      const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
      carrier.set("traceparent", `00-${traceId}-00f067aa0ba902b7-01`);
      const nats = await connect({
        servers: plane.nats.url,
        user: plane.nats.user,
        pass: plane.nats.password,
      });
      nats.publish("kvmgov.v1.sample.hostile", "{}", { headers: carrier });
      await nats.flush();
      await nats.close();
      const [span] = await receiver.untilTrace(traceId, [`process ${SAMPLE}`]);
      expect(span).toMatchObject({
        name: `process ${SAMPLE}`,
        parentSpanId: "00f067aa0ba902b7",
        isError: true,
        attributes: { "error.type": "invalid" },
      });
    });

    test.each(["refuse", "hang"] as const)(
      "cost no tick where the receiver would %s, and are counted",
      async (manner) => {
        receiver.manner = manner;
        const { collector, classifier, actuator } = await startAll({
          ...traced,
          OTEL_EXPORTER_OTLP_TIMEOUT: "500",
          OTEL_BSP_EXPORT_TIMEOUT: "500",
          OTEL_BSP_MAX_QUEUE_SIZE: "64",
          OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "16",
        });
        await actuator.event("plan-followed", 20_000);
        const decided = (await classifier.metric('kvmgov_decisions_total{outcome="decided"}')) ?? 0;
        await moreSamples(TICKS);
        const lost = await waitFor("lost spans", 15_000, async () => {
          const failed = (await classifier.metric('kvmgov_traces_spans_lost_total{reason="failed"}')) ?? 0;
          return failed > 0 ? failed : undefined;
        });
        expect(lost).toBeGreaterThan(0);
        expect(
          ((await classifier.metric('kvmgov_decisions_total{outcome="decided"}')) ?? 0) - decided,
        ).toBeGreaterThanOrEqual(TICKS - 1);
        for (const service of [collector, classifier, actuator])
          expect(service.events("traces-lost")).toHaveLength(1);
        receiver.manner = "take";
        await classifier.event("traces-sent-again", 20_000);
        receiver.manner = manner;
        for (const service of [collector, classifier, actuator]) {
          const fromMs = performance.now();
          expect(await service.stop()).toBe(0);
          // At most 2 seconds for the last traces, and what stopping takes anyhow.
          expect(performance.now() - fromMs).toBeLessThan(4000);
        }
      },
    );

    test("do not end a service whose variables cannot be used", async () => {
      const classifier = await startOn("classifier", {
        OTEL_EXPORTER_OTLP_ENDPOINT: "not an address",
        OTEL_EXPORTER_OTLP_PROTOCOL: "carrier pigeon",
        OTEL_TRACES_SAMPLER: "sometimes",
        OTEL_BSP_SCHEDULE_DELAY: "soon",
      });
      expect((await classifier.ready()).status).toBe(200);
      const said = classifier.log
        .filter(({ level }) => level === "warn" || level === "error")
        .map(({ msg }) => msg);
      expect(said.join("\n")).toMatch(/carrier pigeon/);
      expect(said.join("\n")).toMatch(/sometimes/);
      const none = await startOn("classifier", { ...traced, OTEL_TRACES_EXPORTER: "carrier-pigeon" });
      expect((await none.event("tracing-failed")).msg).toMatch(/carrier-pigeon/);
      expect(await none.metric("kvmgov_traces_enabled")).toBe(0);
    });

    test("are sent to the last at SIGTERM", async () => {
      const { collector } = await startAll({ ...traced, OTEL_BSP_SCHEDULE_DELAY: "3600000" });
      const [tick] = await moreSamples(1);
      expect(receiver.trace(tick === undefined ? "" : traceIdOf(tick))).toEqual([]);
      expect(await collector.stop()).toBe(0);
      const names = receiver.trace(tick === undefined ? "" : traceIdOf(tick)).map(({ name }) => name);
      expect(names.toSorted()).toEqual([`publish ${SAMPLE}`, "read", "tick"]);
    });
  });

  describe("that nobody asked for", () => {
    test("are not sent, leave no header, and are not loaded", async () => {
      const from = receiver.requests.length;
      const hook = join(plane.dir, "loaded.mjs");
      writeFileSync(hook, LOADED_HOOK);
      const { collector, classifier, actuator } = await startAll({ NODE_OPTIONS: `--import=${hook}` });
      await actuator.event("plan-followed", 20_000);
      const ticks = await moreSamples(5);
      expect(ticks.map(({ traceparent }) => traceparent)).toEqual(ticks.map(() => undefined));
      expect(Object.keys(await publishedPlan())).not.toContain("traceparent");
      for (const service of [collector, classifier, actuator]) {
        // prom-client has the API, for exemplars.
        expect(loadedBy(service).filter((url) => !url.includes("/@opentelemetry/api/"))).toEqual([]);
        expect(service.log.filter((line) => "trace_id" in line)).toEqual([]);
        expect(await service.metric("kvmgov_traces_enabled")).toBe(0);
      }
      expect(receiver.requests.length).toBe(from);
      // The same look at a service that traces: it does find what is loaded.
      const other = await startOn("classifier", { ...traced, NODE_OPTIONS: `--import=${hook}` });
      expect(loadedBy(other)).toContainEqual(expect.stringContaining("/@opentelemetry/sdk-node/"));
    });
  });

  test("reach all services through kvmgov up", async () => {
    const up = new UpProcess({
      dir: join(plane.dir, "up"),
      libvirtRunDir: join(libvirt.runDir, "qemu"),
      args: ["--period", String(PERIOD_MS), "--policy", hostEnv["KVMGOV_POLICY_FILE"] ?? ""],
      env: traced,
    });
    try {
      const last = await waitFor("the end of a trace", 30_000, () =>
        receiver.spans.find(
          ({ name, attributes }) => name === `process ${APPLIED}` && attributes["kvmgov.host"] === "up-test",
        ),
      );
      const trace = await receiver.untilTrace(last.traceId, WHOLE);
      expect(trace.map((span) => shapeIn(trace, span))).toEqual(expect.arrayContaining([...STEADY_TICK]));
    } finally {
      expect(await up.stop()).toBe(0);
    }
  });
});

const isRoot = ({ parentSpanId }: ReceivedSpan): boolean => parentSpanId === "";

function parentIn(trace: readonly ReceivedSpan[], { parentSpanId }: ReceivedSpan): ReceivedSpan | undefined {
  return trace.find(({ spanId }) => spanId === parentSpanId);
}

function shapeIn(trace: readonly ReceivedSpan[], span: ReceivedSpan): unknown[] {
  return [span.service, span.kind, span.name, parentIn(trace, span)?.name];
}

/** All processes of the test share a clock, which each of them reads by the millisecond. */
function endsAfterItsParentBegan(trace: readonly ReceivedSpan[], span: ReceivedSpan): boolean {
  const parent = parentIn(trace, span);
  if (span.endNs < span.startNs) return false;
  // Each process counts from its own reading of the wall clock: only times of one process are compared.
  const isOfOneProcess = parent?.service === span.service;
  return !isOfOneProcess || span.startNs + 1_000_000n >= parent.startNs;
}

/** Sequences that the spans of a trace name: one, if it is the trace of one tick. */
function sequencesOf(trace: readonly ReceivedSpan[]): unknown[] {
  return [...new Set(trace.flatMap(({ attributes }) => attributes["kvmgov.sequence"] ?? []))];
}

function emptySample(host: string, sequence: number): object {
  return {
    schema: 1,
    host,
    bootId: "0b5a7a0e-0001-4000-8000-000000000001",
    sequence,
    wallTimeMs: 1,
    periodMs: 1000,
    cpus: [0],
    hostRun: 0,
    guests: [],
    unreadable: [],
  };
}

/** Tells each module of OpenTelemetry that is resolved, as a line of the log. */
const LOADED_HOOK = `
import { registerHooks } from "node:module";
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    if (found.url.includes("opentelemetry")) process.stdout.write(JSON.stringify({ event: "loaded", level: "info", msg: found.url }) + "\\n");
    return found;
  },
});
`;

const loadedBy = (service: ServiceProcess): string[] => service.events("loaded").map(({ msg }) => msg);
