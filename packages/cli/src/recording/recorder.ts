/** Sorts what arrives by host, one writer each; what cannot be read or written is said, counted, and the rest goes on. */
import type { Host, Sample } from "@kvm-governor/policy";
import { RecordingWriteError, RecordingWriter } from "./writer.ts";
import type { WriterOptions } from "./writer.ts";

export interface RecorderOptions {
  writer: Omit<WriterOptions, "header"> & { header: Omit<WriterOptions["header"], "host"> };
  /** Only this host; undefined: all. */
  host: string | undefined;
  /** Is told of problems: each kind once until it is over. */
  say: (line: string) => void;
  /** The first sample of a host has come. */
  onFirst: (host: string) => void;
}

export interface RecorderResult {
  hosts: number;
  samples: number;
  repeated: number;
  files: number;
  removed: number;
  bytes: number;
  /** Samples that could not be written. */
  lost: number;
  /** Messages that could not be read, and what else the source complained of. */
  problems: number;
}

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #writers = new Map<string, RecordingWriter>();
  readonly #announced = new Map<string, Host>();
  #lost = 0;
  #problems = 0;
  #said: string | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  sample(sample: Sample): void {
    if (!this.#isWanted(sample.host)) return;
    this.#writing(() => this.#writer(sample.host).addSample(sample));
  }

  host(host: Host): void {
    if (!this.#isWanted(host.host)) return;
    const writer = this.#writers.get(host.host);
    // A host that only announces itself has nothing to be replayed.
    if (writer === undefined) this.#announced.set(host.host, host);
    else this.#writing(() => writer.addHost(host));
  }

  problem(text: string): void {
    this.#problems += 1;
    this.#sayOnce(text);
  }

  /** To be called now and then. */
  tick(): void {
    for (const writer of this.#writers.values()) this.#writing(() => writer.tick());
  }

  /** Writes what waits, and ends all files. */
  close(): RecorderResult {
    const result = { hosts: this.#writers.size, samples: 0, repeated: 0, files: 0, removed: 0, bytes: 0 };
    for (const writer of this.#writers.values()) {
      this.#writing(() => writer.close());
      for (const key of ["samples", "repeated", "files", "removed", "bytes"] as const)
        result[key] += writer.counts[key];
    }
    return { ...result, lost: this.#lost, problems: this.#problems };
  }

  #isWanted(host: string): boolean {
    return this.#options.host === undefined || this.#options.host === host;
  }

  #writer(host: string): RecordingWriter {
    let writer = this.#writers.get(host);
    if (writer !== undefined) return writer;
    const { writer: options, onFirst } = this.#options;
    writer = new RecordingWriter({ ...options, header: { ...options.header, host } });
    this.#writers.set(host, writer);
    const announced = this.#announced.get(host);
    if (announced !== undefined) writer.addHost(announced);
    onFirst(host);
    return writer;
  }

  /** A full disk may have room again: the next block is tried. */
  #writing(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof RecordingWriteError)) throw error;
      this.#lost += error.samples;
      this.#sayOnce(error.message);
    }
  }

  #sayOnce(text: string): void {
    if (text === this.#said) return;
    this.#said = text;
    this.#options.say(text);
  }
}
