/** Spans as OTLP sends them, decoded: from JSON, and from protobuf by the field numbers of opentelemetry-proto 1.x. */

export interface ReceivedSpan {
  service: string;
  resource: Readonly<Record<string, unknown>>;
  scope: string;
  traceId: string;
  spanId: string;
  /** Empty: the first of its trace. */
  parentSpanId: string;
  name: string;
  kind: "internal" | "server" | "client" | "producer" | "consumer" | "unspecified";
  startNs: bigint;
  endNs: bigint;
  attributes: Readonly<Record<string, unknown>>;
  events: readonly string[];
  links: readonly { traceId: string; spanId: string }[];
  isError: boolean;
}

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;
const ERROR = 2;

interface JsonValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string | number;
  doubleValue?: number;
}
type JsonAttributes = { key: string; value: JsonValue }[];
interface JsonSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes?: JsonAttributes;
  events?: { name: string }[];
  links?: { traceId: string; spanId: string }[];
  status?: { code?: number };
}
interface JsonRequest {
  resourceSpans: {
    resource: { attributes: JsonAttributes };
    scopeSpans: { scope: { name: string }; spans: JsonSpan[] }[];
  }[];
}

export function spansOfJson(body: Buffer): ReceivedSpan[] {
  const { resourceSpans } = JSON.parse(body.toString()) as JsonRequest;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        ...origin(plain(resource.attributes), scope.name),
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? "",
        name: span.name,
        kind: KINDS[span.kind] ?? "unspecified",
        startNs: BigInt(span.startTimeUnixNano),
        endNs: BigInt(span.endTimeUnixNano),
        attributes: plain(span.attributes ?? []),
        events: (span.events ?? []).map(({ name }) => name),
        links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })),
        isError: span.status?.code === ERROR,
      })),
    ),
  );
}

function origin(
  resource: Record<string, unknown>,
  scope: string,
): Pick<ReceivedSpan, "service" | "resource" | "scope"> {
  return { service: String(resource["service.name"]), resource, scope };
}

function plain(attributes: JsonAttributes): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ??
        value.boolValue ??
        value.doubleValue ??
        (value.intValue === undefined ? undefined : Number(value.intValue)),
    ]),
  );
}

/** A message of protobuf: for each field number its values, numbers as bigint, everything else as bytes. */
type Message = Map<number, (bigint | Buffer)[]>;

function messageOf(bytes: Buffer): Message {
  const message: Message = new Map();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError("protobuf ends within a number");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError("protobuf ends within a field");
    return bytes.subarray(at, (at += length));
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    let value: bigint | Buffer;
    if (wire === 0) value = varint();
    else if (wire === 1) value = take(8).readBigUInt64LE();
    else if (wire === 2) value = take(Number(varint()));
    else if (wire === 5) value = BigInt(take(4).readUInt32LE());
    else throw new RangeError(`protobuf wire type ${wire}`);
    const values = message.get(tag >> 3) ?? [];
    values.push(value);
    message.set(tag >> 3, values);
  }
  return message;
}

const messages = (message: Message, field: number): Message[] =>
  (message.get(field) ?? []).map((value) => messageOf(value as Buffer));
const bytes = (message: Message, field: number): Buffer =>
  (message.get(field)?.[0] ?? Buffer.alloc(0)) as Buffer;
const text = (message: Message, field: number): string => bytes(message, field).toString();
const hex = (message: Message, field: number): string => bytes(message, field).toString("hex");
const number = (message: Message, field: number): bigint => (message.get(field)?.[0] ?? 0n) as bigint;

export function spansOfProtobuf(body: Buffer): ReceivedSpan[] {
  return messages(messageOf(body), 1).flatMap((resourceSpans) => {
    const resource = attributesOf(messages(resourceSpans, 1)[0] ?? new Map<number, never>(), 1);
    return messages(resourceSpans, 2).flatMap((scopeSpans) => {
      const scope = messages(scopeSpans, 1)[0];
      const name = scope === undefined ? "" : text(scope, 1);
      return messages(scopeSpans, 2).map((span) => ({ ...origin(resource, name), ...spanOf(span) }));
    });
  });
}

function spanOf(span: Message): Omit<ReceivedSpan, "service" | "resource" | "scope"> {
  return {
    traceId: hex(span, 1),
    spanId: hex(span, 2),
    parentSpanId: hex(span, 4),
    name: text(span, 5),
    kind: KINDS[Number(number(span, 6))] ?? "unspecified",
    startNs: number(span, 7),
    endNs: number(span, 8),
    attributes: attributesOf(span, 9),
    events: messages(span, 11).map((event) => text(event, 2)),
    links: messages(span, 13).map((link) => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
    isError: messages(span, 15).some((status) => Number(number(status, 3)) === ERROR),
  };
}

function attributesOf(message: Message, field: number): Record<string, unknown> {
  return Object.fromEntries(
    messages(message, field).map((pair) => [
      text(pair, 1),
      valueOf(messages(pair, 2)[0] ?? new Map<number, never>()),
    ]),
  );
}

function valueOf(value: Message): unknown {
  if (value.has(1)) return text(value, 1);
  if (value.has(2)) return number(value, 2) === 1n;
  if (value.has(3)) return Number(BigInt.asIntN(64, number(value, 3)));
  if (!value.has(4)) return undefined;
  const double = Buffer.alloc(8);
  double.writeBigUInt64LE(number(value, 4));
  return double.readDoubleLE();
}
