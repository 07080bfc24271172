/** Messages of a bus that remember what became of them. */
import type { BusMessage } from "@kvm-governor/service-kit";

export interface TestMessage extends BusMessage {
  /** `ack`, `nak` or `term: reason`, in the order of the calls. */
  ends: string[];
}

let streamSequence = 0;

/** @param body a value (sent as JSON), text or bytes */
export function testMessage(host: string, body: unknown, kind = "sample"): TestMessage {
  const ends: string[] = [];
  const data =
    body instanceof Uint8Array
      ? body
      : new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
  return {
    subject: `kvmgov.v1.${kind}.${host}`,
    host,
    data,
    streamSequence: ++streamSequence,
    storedAtMs: 1_800_000_000_000 + streamSequence,
    redelivered: false,
    ends,
    ack: () => void ends.push("ack"),
    nak: () => void ends.push("nak"),
    term: (reason) => void ends.push(`term: ${reason}`),
  };
}
