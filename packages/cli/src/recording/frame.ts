/**
 * Frames of a recording: what is compressed and checked as one piece (docs/recording-format.md).
 *
 *     offset  bytes  little-endian
 *     0       4      "KVGF"
 *     4       1      kind: H header, B block of records, E end
 *     5       3      0
 *     8       4      length of the payload
 *     12      4      length of the payload when it is unpacked
 *     16      4      CRC-32 of bytes 4 to 15 and of the payload
 *     20             payload: zstd
 */
import { constants, crc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";

/** First bytes of a file; the last one is the version of the format. */
export const MAGIC = Buffer.from("KVMGREC1", "ascii");
export const MARKER = Buffer.from("KVGF", "ascii");
export const FRAME_HEAD_BYTES = 20;
/** No writer makes larger ones: a length beyond it is damage, and nobody sets so much memory aside for it. */
export const FRAME_BYTES_MAX = 32 * 1024 * 1024;

export type FrameKind = "H" | "B" | "E";

export interface FrameHead {
  kind: FrameKind;
  packedBytes: number;
  rawBytes: number;
  crc: number;
}

/** Level 3 is zstd's own default. */
const LEVEL = 3;

/** @param text UTF-8, at most {@link FRAME_BYTES_MAX} bytes */
export function encodeFrame(kind: FrameKind, text: string): Buffer {
  const raw = Buffer.from(text, "utf8");
  if (raw.length > FRAME_BYTES_MAX)
    throw new RangeError(`a frame of ${raw.length} bytes, at most ${FRAME_BYTES_MAX} fit`);
  const payload = zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } });
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  MARKER.copy(head);
  head.write(kind, 4, "ascii");
  head.writeUInt32LE(payload.length, 8);
  head.writeUInt32LE(raw.length, 12);
  head.writeUInt32LE(checksum(head, payload), 16);
  return Buffer.concat([head, payload]);
}

/** @returns undefined where the bytes are not the head of a frame */
export function decodeHead(head: Buffer): FrameHead | undefined {
  if (head.length < FRAME_HEAD_BYTES || !head.subarray(0, 4).equals(MARKER)) return undefined;
  const kind = String.fromCharCode(head[4] ?? 0);
  if (kind !== "H" && kind !== "B" && kind !== "E") return undefined;
  const [packedBytes, rawBytes, crc] = [head.readUInt32LE(8), head.readUInt32LE(12), head.readUInt32LE(16)];
  if (packedBytes > FRAME_BYTES_MAX || rawBytes > FRAME_BYTES_MAX) return undefined;
  return { kind, packedBytes, rawBytes, crc };
}

/** @returns undefined where the payload is not what the head says */
export function decodePayload(head: Buffer, payload: Buffer): string | undefined {
  const frame = decodeHead(head);
  if (frame === undefined || frame.packedBytes !== payload.length || checksum(head, payload) !== frame.crc)
    return undefined;
  const raw = unpacked(payload, frame.rawBytes);
  return raw?.length === frame.rawBytes ? raw.toString("utf8") : undefined;
}

function unpacked(payload: Buffer, rawBytes: number): Buffer | undefined {
  try {
    return zstdDecompressSync(payload, { maxOutputLength: Math.max(1, rawBytes) });
  } catch (error) {
    // No zstd, or longer than it says: a writer other than ours, the checksum is right. Damage like any other.
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}

function checksum(head: Buffer, payload: Buffer): number {
  return crc32(payload, crc32(head.subarray(4, 16)));
}
