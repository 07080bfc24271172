/**
 * Traces, as the services see them. Nothing of OpenTelemetry is imported here: where tracing is not configured, none of it is
 * loaded, and a span is a plain call.
 */

/** Names and values that a span carries; undefined values are left out. Never a secret, never a command line. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

export interface SpanSpec {
  /** Of low cardinality: no ids in it. */
  name: string;
  /** `producer` and `consumer`: of a message; `client`: a question to a server; by default work of our own. */
  kind?: "internal" | "producer" | "consumer" | "client";
  attributes?: Attributes;
  /** Not a child of the span that is open, but the first of a trace, or a child of `parent`. */
  root?: boolean;
  /** W3C traceparent of what it works off. What is no traceparent counts as none. */
  parent?: string | undefined;
  /** No span where it would be the first of a trace. */
  onlyInTrace?: boolean;
  /** W3C traceparents of spans that it has to do with and is no child of. */
  links?: readonly string[];
}

export interface Span {
  /** W3C traceparent to send along with what comes of this work; undefined: send none. */
  readonly traceparent: string | undefined;
  set(attributes: Attributes): void;
  event(name: string, attributes?: Attributes): void;
  /** Marks it as failed. @param type low cardinality: a code, or the name of an error class */
  fail(type: string, message: string): void;
  /** Runs work as a part of this span, also where another one is open. */
  within<T>(work: () => T): T;
}

export interface Tracing {
  readonly isOn: boolean;
  /**
   * Runs work as a span, which is open in all that the work calls and awaits. It ends when the work does, or the promise that the work
   * returns. What is thrown marks it as failed, and goes on to the caller.
   */
  span<T>(spec: SpanSpec, work: (span: Span) => T): T;
  /** The same work, to be done later, as a part of the span that is open now. */
  bind<Result>(work: () => Result): () => Result;
  /** What a log line carries to be found by its trace; nothing outside of spans. */
  logFields(): Readonly<Record<string, string>>;
}

/** Where there is no trace. */
export const NO_SPAN: Span = {
  traceparent: undefined,
  set: () => undefined,
  event: () => undefined,
  fail: () => undefined,
  within: (work) => work(),
};

const NO_FIELDS = {};

/** Tracing is not configured. */
export const TRACING_OFF: Tracing = {
  isOn: false,
  span: (_spec, work) => work(NO_SPAN),
  bind: (work) => work,
  logFields: () => NO_FIELDS,
};
