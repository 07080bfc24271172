/**
 * Spans of messages, by OpenTelemetry's conventions for messaging (1.43, in development there, so that the names stand here and not in
 * the stable part of @opentelemetry/semantic-conventions).
 */
import { PLANS_BUCKET, subjects, unpartitionedSubject } from "@kvm-governor/policy";
import type { Attributes, SpanSpec } from "./tracing.ts";

/** Kinds of messages that belong to a tick. An announcement of a host does not. */
export type TracedKind = "sample" | "plan" | "applied";

const planSubject = (host: string): string => `$KV.${PLANS_BUCKET}.${host}`;
const subjectOf: Record<TracedKind, (host: string) => string> = {
  sample: subjects.sample,
  applied: subjects.applied,
  plan: planSubject,
};
/** Subjects without id and partition in them: what spans are named by. */
const templateOf: Record<TracedKind, string> = {
  sample: `${unpartitionedSubject("sample", "{host}")}.{partition}`,
  applied: `${unpartitionedSubject("applied", "{host}")}.{partition}`,
  plan: planSubject("{host}"),
};

/** Sending a message of a kind. @param server HOST:PORT of the server it goes to, where known */
export function publishSpan(kind: TracedKind, host: string, server: string | undefined): SpanSpec {
  return {
    name: `publish ${templateOf[kind]}`,
    kind: "producer",
    // What comes of no tick, as the report of a switch that fired, is not traced.
    onlyInTrace: true,
    attributes: { ...common(kind, host, "send", "publish"), ...addressOf(server) },
  };
}

/** Working off a message of a kind. @param traceparent as the message has it */
export function processSpan(kind: TracedKind, host: string, traceparent: string | undefined): SpanSpec {
  return {
    name: `process ${templateOf[kind]}`,
    kind: "consumer",
    root: true,
    parent: traceparent,
    // Only a tick begins a trace of its own.
    ...(kind !== "sample" && { onlyInTrace: true }),
    attributes: common(kind, host, "process", "process"),
  };
}

function common(kind: TracedKind, host: string, type: string, name: string): Attributes {
  return {
    "messaging.system": "nats",
    "messaging.operation.type": type,
    "messaging.operation.name": name,
    "messaging.destination.name": subjectOf[kind](host),
    "messaging.destination.template": templateOf[kind],
    "kvmgov.host": host,
  };
}

/** `HOST:PORT`, an IPv6 address in brackets. */
function addressOf(server: string | undefined): Attributes {
  const colon = server?.lastIndexOf(":") ?? -1;
  if (server === undefined || colon === -1) return {};
  return {
    "server.address": server.slice(0, colon).replaceAll(/[[\]]/g, ""),
    "server.port": Number(server.slice(colon + 1)),
  };
}
