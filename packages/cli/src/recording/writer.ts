/**
 * Writes samples of one host to files of a directory: blocks of records, new files by size and age, the oldest removed so
 * that all of them stay within a bound. A file is begun anew by each recorder and never appended to.
 */
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { RECORDING_FORMAT } from "@kvm-governor/policy";
import type { Host, RecordingHeader, Sample } from "@kvm-governor/policy";
import { MAGIC, encodeFrame } from "./frame.ts";

export const SUFFIX = ".kvmrec";

export interface RecordingLimits {
  /** A file that has reached this size is closed and another one begun, in bytes. */
  fileBytesMax: number;
  /** The same by age, in milliseconds. */
  fileAgeMsMax: number;
  /** All files of a host together stay below this, in bytes: the oldest is removed. At least two files. */
  totalBytesMax: number;
  /** Records wait no longer than this to be written as one block, in milliseconds: what a killed recorder loses. */
  blockMsMax: number;
}

export interface WriterOptions {
  dir: string;
  header: Omit<RecordingHeader, "format" | "startedAtMs">;
  limits: RecordingLimits;
  /** `block`: every block is on the disk before the next is begun (fdatasync). `close`: only whole files are. */
  sync: "block" | "close";
  /** Wall clock, milliseconds. */
  now: () => number;
  /** Puts bytes into a file; by default write(2) until all are in. */
  write?: (fd: number, bytes: Buffer) => void;
}

/** Records could not be written; those of the block are lost, and the next block is tried again. */
export class RecordingWriteError extends Error {
  override readonly name = "RecordingWriteError";
  /** Samples of the block. */
  readonly samples: number;
  constructor(message: string, samples: number, options: ErrorOptions) {
    super(message, options);
    this.samples = samples;
  }
}

/** A block is also written when it has so many bytes before it is packed. */
const BLOCK_BYTES_MAX = 1024 * 1024;

interface OpenFile {
  fd: number;
  path: string;
  bytes: number;
  begunMs: number;
}

export class RecordingWriter {
  readonly #options: WriterOptions;
  readonly #write: (fd: number, bytes: Buffer) => void;
  #file: OpenFile | undefined;
  #lines: string[] = [];
  #lineBytes = 0;
  #blockSamples = 0;
  #blockBegunMs = 0;
  #last: Pick<Sample, "bootId" | "sequence"> | undefined;
  /** The newest announcement: begins every file, so that each can be read by itself. */
  #host: Host | undefined;
  /** Samples that are in files, bytes of all files begun by this writer, files removed. */
  readonly counts = { samples: 0, repeated: 0, bytes: 0, files: 0, removed: 0 };

  constructor(options: WriterOptions) {
    const { fileBytesMax, totalBytesMax } = options.limits;
    if (totalBytesMax < 2 * fileBytesMax)
      throw new RangeError(
        `a bound of ${totalBytesMax} bytes is less than two files of ${fileBytesMax} bytes`,
      );
    this.#options = options;
    this.#write = options.write ?? writeAll;
  }

  /** @throws {RecordingWriteError} a block was due and could not be written */
  addSample(sample: Sample): void {
    // A bus may deliver again what it has delivered.
    const last = this.#last;
    if (last !== undefined && last.bootId === sample.bootId && sample.sequence <= last.sequence) {
      this.counts.repeated += 1;
      return;
    }
    this.#last = sample;
    this.#blockSamples += 1;
    this.#add(JSON.stringify({ sample }));
  }

  /** Heartbeats that say nothing new are left out. @throws {RecordingWriteError} as addSample */
  addHost(host: Host): void {
    const isSame = this.#host !== undefined && sameHost(this.#host, host);
    this.#host = host;
    // A file that is yet to be begun begins with it.
    if (!isSame && this.#file !== undefined) this.#add(JSON.stringify({ host }));
  }

  /** To be called now and then: writes a block that is due. @throws {RecordingWriteError} */
  tick(): void {
    const isDue = this.#options.now() - this.#blockBegunMs >= this.#options.limits.blockMsMax;
    if (this.#lines.length > 0 && isDue) this.flush();
  }

  /** Writes what waits. @throws {RecordingWriteError} */
  flush(): void {
    if (this.#lines.length === 0) return;
    const [text, samples] = [this.#lines.join("\n"), this.#blockSamples];
    [this.#lines, this.#lineBytes, this.#blockSamples] = [[], 0, 0];
    try {
      this.#append(this.#fileToWrite(), encodeFrame("B", text));
      this.counts.samples += samples;
    } catch (cause) {
      throw this.#failed(cause, samples);
    }
  }

  #failed(cause: unknown, samples: number): RecordingWriteError {
    const { message } = cause as Error;
    const text = `recording in ${this.#options.dir}: ${message}; ${samples} samples are lost`;
    return new RecordingWriteError(text, samples, { cause });
  }

  /** Writes what waits and ends the file. @throws {RecordingWriteError} */
  close(): void {
    this.flush();
    try {
      this.#end();
    } catch (cause) {
      throw this.#failed(cause, 0);
    }
  }

  #add(line: string): void {
    if (this.#lines.length === 0) this.#blockBegunMs = this.#options.now();
    this.#lines.push(line);
    this.#lineBytes += line.length;
    if (this.#lineBytes >= BLOCK_BYTES_MAX) this.flush();
    else this.tick();
  }

  #fileToWrite(): OpenFile {
    const { fileBytesMax, fileAgeMsMax } = this.#options.limits;
    const file = this.#file;
    if (file !== undefined && file.bytes < fileBytesMax && this.#options.now() - file.begunMs < fileAgeMsMax)
      return file;
    this.#end();
    return this.#begin();
  }

  #begin(): OpenFile {
    const { dir, header, now } = this.#options;
    const begunMs = now();
    // Names of guests may be their tenants' business.
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const file = path.join(dir, `${header.host}-${stamp(begunMs)}${SUFFIX}`);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    // Under another name until its header is in it: nobody finds a file that cannot be read.
    const part = `${file}.part`;
    if (existsSync(file)) throw new Error(`${file} is there already`);
    const open: OpenFile = { fd: openSync(part, flags, 0o600), path: part, bytes: 0, begunMs };
    this.#file = open;
    const text = JSON.stringify({ format: RECORDING_FORMAT, startedAtMs: begunMs, ...header });
    this.#append(open, Buffer.concat([MAGIC, encodeFrame("H", text)]));
    if (this.#host !== undefined) this.#append(open, encodeFrame("B", JSON.stringify({ host: this.#host })));
    renameSync(part, file);
    open.path = file;
    this.counts.files += 1;
    syncDirectory(dir);
    this.#removeOldest();
    return open;
  }

  /** A piece that could not be written whole is taken back: what follows stays readable. */
  #append(file: OpenFile, bytes: Buffer): void {
    try {
      this.#write(file.fd, bytes);
      if (this.#options.sync === "block") fdatasyncSync(file.fd);
    } catch (error) {
      this.#abandon(file);
      throw error;
    }
    file.bytes += bytes.length;
    this.counts.bytes += bytes.length;
  }

  /** After a failed write the next block begins a file of its own; one without a header is not left behind. */
  #abandon(file: OpenFile): void {
    this.#file = undefined;
    try {
      if (file.path.endsWith(".part")) rmSync(file.path, { force: true });
      else ftruncateSync(file.fd, file.bytes);
    } finally {
      closeSync(file.fd);
    }
  }

  #end(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#append(file, encodeFrame("E", ""));
    fsyncSync(file.fd);
    closeSync(file.fd);
    this.#file = undefined;
  }

  /** The new file may grow to its full size, and by one block beyond that. */
  #removeOldest(): void {
    const { dir, header, limits } = this.#options;
    const current = this.#file?.path;
    const files = recordingsIn(dir, header.host).filter((file) => file !== current);
    let bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
    const room = limits.totalBytesMax - limits.fileBytesMax - BLOCK_BYTES_MAX;
    for (const file of files) {
      if (bytes <= room) return;
      bytes -= statSync(file).size;
      rmSync(file, { force: true });
      this.counts.removed += 1;
    }
  }
}

/** The recordings of a directory, of one host or of all, oldest first. */
export function recordingsIn(dir: string, host?: string): string[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith(SUFFIX) && (host === undefined || hostOfName(name) === host))
    .toSorted()
    .map((name) => path.join(dir, name));
}

/** `20261120T085440123Z`: names of one host sort by time. */
function stamp(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:.]/g, "");
}

const hostOfName = (name: string): string => name.slice(0, name.lastIndexOf("-"));

function sameHost({ wallTimeMs: _a, ...a }: Host, { wallTimeMs: _b, ...b }: Host): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function writeAll(fd: number, bytes: Buffer): void {
  let written = 0;
  while (written < bytes.length) written += writeSync(fd, bytes, written);
}

/** A new name is only as safe as its directory. */
function syncDirectory(dir: string): void {
  const fd = openSync(dir, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
