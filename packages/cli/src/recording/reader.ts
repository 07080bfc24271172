/** Reads a recording record by record: one frame is in memory at a time, damage is told and the rest is read. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import {
  ContractError,
  RECORDING_FORMAT,
  checkContract,
  hostSchema,
  recordingHeaderSchema,
  sampleSchema,
} from "@kvm-governor/policy";
import type { Host, RecordingHeader, Sample } from "@kvm-governor/policy";
import { FRAME_HEAD_BYTES, MAGIC, MARKER, decodeHead, decodePayload } from "./frame.ts";
import type { FrameKind } from "./frame.ts";

export type RecordedItem =
  | { kind: "header"; header: RecordingHeader }
  | { kind: "host"; host: Host }
  | { kind: "sample"; sample: Sample };

/** Something in a file that could not be read; what stands before and after it was. */
export interface RecordingProblem {
  file: string;
  /** `torn`: the file ends in the middle of a frame, or without its end: the recorder was killed. */
  kind: "torn" | "damaged" | "record";
  /** Where it begins, and how much of the file it takes, in bytes. */
  offset: number;
  bytes: number;
  text: string;
}

/** A file that is no recording, or none that this version reads. */
export class RecordingError extends Error {
  override readonly name = "RecordingError";
}

/** How far to look for the next frame at a time. */
const SEARCH_BYTES = 1024 * 1024;

/**
 * The items of one file in the order of their recording; the header comes first.
 * @param onProblem is told what could not be read
 * @throws {RecordingError} not a recording, of another version, or its header cannot be read
 */
export function* readRecording(
  file: string,
  onProblem: (problem: RecordingProblem) => void,
): Generator<RecordedItem, void, undefined> {
  const source = new Source(file);
  try {
    checkMagic(source);
    let seen: FrameKind | undefined;
    for (const frame of framesOf(source, onProblem)) {
      if (seen === undefined) {
        if (frame.kind !== "H") throw new RecordingError(`${file}: its header cannot be read`);
        yield { kind: "header", header: headerOf(frame.text, file) };
      } else if (frame.kind === "B") yield* itemsOf(frame, file, onProblem);
      seen = frame.kind;
    }
    if (seen === undefined) throw new RecordingError(`${file}: its header cannot be read`);
    if (seen !== "E") {
      const text =
        "has no end: the recorder is still at work, or was killed; what it had not written is lost";
      onProblem({ file, kind: "torn", offset: source.size, bytes: 0, text });
    }
  } finally {
    source.close();
  }
}

/**
 * The header of one file, and the wall time of its first sample (without one: when the file was begun), in milliseconds.
 * @throws {RecordingError} as readRecording
 */
export function readBeginning(file: string): { header: RecordingHeader; beginMs: number } {
  let header: RecordingHeader | undefined;
  for (const item of readRecording(file, () => undefined)) {
    if (item.kind === "header") header = item.header;
    else if (item.kind === "sample" && header !== undefined)
      return { header, beginMs: item.sample.wallTimeMs };
  }
  if (header === undefined) throw new RecordingError(`${file}: its header cannot be read`);
  return { header, beginMs: header.startedAtMs };
}

function checkMagic(source: Source): void {
  const found = source.read(0, MAGIC.length);
  if (found.equals(MAGIC)) return;
  const isOther = found.length === MAGIC.length && found.subarray(0, 7).equals(MAGIC.subarray(0, 7));
  throw new RecordingError(
    isOther
      ? `${source.file}: is of format ${String.fromCharCode(found[7] ?? 0)}, this version reads ${RECORDING_FORMAT}`
      : `${source.file}: is not a recording of kvmgov record`,
  );
}

interface Frame {
  kind: FrameKind;
  offset: number;
  text: string;
}

function* framesOf(source: Source, onProblem: (problem: RecordingProblem) => void): Generator<Frame> {
  let offset = MAGIC.length;
  let damagedFrom: number | undefined;
  while (offset < source.size) {
    const frame = frameAt(source, offset);
    if (frame === undefined) {
      damagedFrom ??= offset;
      offset = nextMarker(source, offset + 1);
      continue;
    }
    if (damagedFrom !== undefined) onProblem(damage(source, damagedFrom, offset));
    damagedFrom = undefined;
    yield frame;
    offset = frame.end;
  }
  if (damagedFrom !== undefined) onProblem(damage(source, damagedFrom, source.size));
}

function damage({ file, size }: Source, offset: number, end: number): RecordingProblem {
  const bytes = end - offset;
  return end === size
    ? {
        file,
        kind: "torn",
        offset,
        bytes,
        text: `the last ${bytes} bytes are no whole frame and were left out`,
      }
    : {
        file,
        kind: "damaged",
        offset,
        bytes,
        text: `${bytes} bytes at ${offset} are damaged and were left out`,
      };
}

function frameAt(source: Source, offset: number): (Frame & { end: number }) | undefined {
  const head = source.read(offset, FRAME_HEAD_BYTES);
  const found = decodeHead(head);
  if (found === undefined) return undefined;
  const end = offset + FRAME_HEAD_BYTES + found.packedBytes;
  if (end > source.size) return undefined;
  const text = decodePayload(head, source.read(offset + FRAME_HEAD_BYTES, found.packedBytes));
  return text === undefined ? undefined : { kind: found.kind, offset, text, end };
}

function nextMarker(source: Source, from: number): number {
  for (let offset = from; offset < source.size; offset += SEARCH_BYTES) {
    // A marker may lie across two pieces.
    const at = source.read(offset, SEARCH_BYTES + MARKER.length - 1).indexOf(MARKER);
    if (at >= 0) return offset + at;
  }
  return source.size;
}

function headerOf(text: string, file: string): RecordingHeader {
  try {
    return checkContract(recordingHeaderSchema, JSON.parse(text), "header");
  } catch (cause) {
    throw new RecordingError(`${file}: ${(cause as Error).message}`, { cause });
  }
}

function* itemsOf(
  { text, offset }: Frame,
  file: string,
  onProblem: (problem: RecordingProblem) => void,
): Generator<RecordedItem> {
  for (const line of text.split("\n")) {
    if (line === "") continue;
    try {
      const item = itemOf(line);
      if (item !== undefined) yield item;
    } catch (error) {
      if (!(error instanceof ContractError || error instanceof SyntaxError)) throw error;
      const problem = `a record of the block at ${offset} was left out: ${error.message}`;
      onProblem({ file, kind: "record", offset, bytes: line.length, text: problem });
    }
  }
}

/** @returns undefined for a kind of record that a later version may have added */
function itemOf(line: string): RecordedItem | undefined {
  const value = JSON.parse(line) as unknown;
  if (typeof value !== "object" || value === null) throw new SyntaxError("is no object");
  if ("sample" in value)
    return { kind: "sample", sample: checkContract(sampleSchema, value.sample, "sample") };
  if ("host" in value) return { kind: "host", host: checkContract(hostSchema, value.host, "host") };
  return undefined;
}

/** The bytes of a file, by place. */
class Source {
  readonly file: string;
  /** As it was when the file was opened: a recorder may be writing on. */
  readonly size: number;
  readonly #fd: number;

  constructor(file: string) {
    this.file = file;
    try {
      this.#fd = openSync(file, "r");
    } catch (cause) {
      throw new RecordingError(`${file}: ${(cause as Error).message}`, { cause });
    }
    this.size = fstatSync(this.#fd).size;
  }

  /** @returns fewer bytes where the file ends */
  read(offset: number, bytes: number): Buffer {
    const buffer = Buffer.alloc(Math.max(0, Math.min(bytes, this.size - offset)));
    let filled = 0;
    while (filled < buffer.length) {
      const got = readSync(this.#fd, buffer, filled, buffer.length - filled, offset + filled);
      if (got === 0) break;
      filled += got;
    }
    return buffer.subarray(0, filled);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
