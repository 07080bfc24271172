/** Answers a scrape. */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGzip, gzipSync } from "node:zlib";
import type { Request, Response } from "express";
import type { Registry } from "prom-client";
import { PageRegistry, type Page } from "./page-registry.ts";

/** A page of metrics repeats itself so much that the least effort is enough: a tenth is left (measured). */
const FAST = { level: constants.Z_BEST_SPEED };
/** Smaller pages are compressed at once: below 1 ms, and cheaper than handing them to a thread. */
const AT_ONCE_BYTES = 262_144;

/**
 * Sends a registry's page, compressed where it is asked for: a large one in a thread of libuv, piece by piece, so that
 * the event loop goes on.
 * @throws what the registry throws; nothing was sent then
 */
export async function sendMetrics(registry: Registry, request: Request, response: Response): Promise<void> {
  const page = await pageOf(registry);
  response.set("content-type", registry.contentType).vary("accept-encoding");
  const isCompressed = request.acceptsEncodings("gzip", "identity") === "gzip";
  if (isCompressed) response.set("content-encoding", "gzip");
  if (isCompressed && page.bytes > AT_ONCE_BYTES) return stream(page, response);
  const pieces = isCompressed ? [gzipSync(Buffer.concat(page.pieces), FAST)] : page.pieces;
  response.set("content-length", String(pieces.reduce((sum, piece) => sum + piece.length, 0)));
  for (const piece of pieces) response.write(piece);
  response.end();
}

async function pageOf(registry: Registry): Promise<Page> {
  if (registry instanceof PageRegistry) return registry.page();
  const piece = Buffer.from(await registry.metrics());
  return { pieces: [piece], bytes: piece.length };
}

async function stream({ pieces }: Page, response: Response): Promise<void> {
  try {
    await pipeline(Readable.from(pieces, { objectMode: false }), createGzip(FAST), response);
  } catch (error) {
    // Whoever scrapes gave up: nothing failed here.
    if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
}
