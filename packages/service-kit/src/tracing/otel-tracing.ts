/** Traces by OpenTelemetry's API. Loaded only where tracing is configured. */
import {
  context,
  createContextKey,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from "@opentelemetry/api";
import type { Context, Span as OtelSpan, SpanContext, SpanOptions, Tracer } from "@opentelemetry/api";
import { parseTraceparent } from "@kvm-governor/policy";
import { SpanClock } from "./span-clock.ts";
import { NO_SPAN } from "./tracing.ts";
import type { Attributes, Span, SpanSpec, Tracing } from "./tracing.ts";

const KINDS = {
  internal: SpanKind.INTERNAL,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  client: SpanKind.CLIENT,
};

const clock = new SpanClock();
/** Of the wall clock, in milliseconds, see SpanClock. */
const OFFSET = createContextKey("kvmgov clock offset");

/** Of the tracer that the SDK registered, with its context manager. */
export class OtelTracing implements Tracing {
  readonly isOn = true;
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  span<T>(spec: SpanSpec, work: (span: Span) => T): T {
    const { root = false, onlyInTrace = false } = spec;
    const parent = parentOf(spec.parent);
    const active = root ? undefined : trace.getActiveSpan();
    if (parent === undefined && active === undefined && onlyInTrace) return work(NO_SPAN);
    // Nothing below a span that is not sampled is sampled: the cheapest way to say so.
    if (parent === undefined && active !== undefined && !isSampled(active))
      return work(new OpenSpan(active, context.active(), 0));
    let base: Context = root ? ROOT_CONTEXT : context.active();
    if (parent !== undefined) base = trace.setSpanContext(base, parent);
    // One for all spans below the first one of this process: they lie to each other as they were.
    const offsetMs = (base.getValue(OFFSET) as number | undefined) ?? clock.offset();
    const span = this.#tracer.startSpan(spec.name, optionsOf(spec, clock.now(offsetMs)), base);
    const inside = trace.setSpan(base.setValue(OFFSET, offsetMs), span);
    return context.with(inside, () => untilDone(new OpenSpan(span, inside, offsetMs), work));
  }

  bind<Result>(work: () => Result): () => Result {
    return context.bind(context.active(), work);
  }

  logFields(): Readonly<Record<string, string>> {
    const span = trace.getActiveSpan()?.spanContext();
    if (span === undefined) return {};
    const { traceId, spanId, traceFlags } = span;
    return { trace_id: traceId, span_id: spanId, trace_flags: hex2(traceFlags) };
  }
}

class OpenSpan implements Span {
  readonly #span: OtelSpan;
  readonly #inside: Context;
  readonly #offsetMs: number;

  constructor(span: OtelSpan, inside: Context, offsetMs: number) {
    this.#span = span;
    this.#inside = inside;
    this.#offsetMs = offsetMs;
  }

  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.#span.spanContext();
    return `00-${traceId}-${spanId}-${hex2(traceFlags)}`;
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(attributes);
  }

  event(name: string, attributes: Attributes = {}): void {
    this.#span.addEvent(name, attributes, clock.now(this.#offsetMs));
  }

  fail(type: string, message: string): void {
    this.#span.setAttribute("error.type", type);
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
  }

  within<T>(work: () => T): T {
    return context.with(this.#inside, work);
  }

  end(): void {
    this.#span.end(clock.now(this.#offsetMs));
  }
}

/** Ends the span with the work, or with the promise that it returns. */
function untilDone<T>(span: OpenSpan, work: (span: Span) => T): T {
  let result: T;
  try {
    result = work(span);
  } catch (error) {
    throw failed(span, error);
  }
  if (!(result instanceof Promise)) {
    span.end();
    return result;
  }
  const done = result.then(
    (value: unknown) => {
      span.end();
      return value;
    },
    (error: unknown) => {
      throw failed(span, error);
    },
  );
  return done as T;
}

/** @returns the error as it was thrown, whatever it is */
function failed(span: OpenSpan, error: unknown): Error {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  span.fail(name, message);
  span.end();
  return error as Error;
}

function parentOf(traceparent: string | undefined): SpanContext | undefined {
  const parsed = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  return parsed === undefined ? undefined : { ...parsed, isRemote: true };
}

function optionsOf({ kind = "internal", attributes, links = [] }: SpanSpec, startMs: number): SpanOptions {
  return {
    startTime: startMs,
    kind: KINDS[kind],
    ...(attributes !== undefined && { attributes }),
    links: links.flatMap((link) => {
      const context = parentOf(link);
      return context === undefined ? [] : { context };
    }),
  };
}

/** Not whether it is recording: a span that has ended does not, and may have children that begin later. */
const isSampled = (span: OtelSpan): boolean => (span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0;

const hex2 = (flags: TraceFlags): string => flags.toString(16).padStart(2, "0");
