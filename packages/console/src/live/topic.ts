/**
 * What one page shows, for all that look at it: the present model, a version, and the last changes, so that who was away
 * for a moment gets what was missed. Versions of another classifier, or of before its restart, are known by the epoch.
 */
import { randomUUID } from "node:crypto";
import type { Model } from "../model/model.ts";
import { diff } from "./diff.ts";

/** Changes that are kept, in bytes of their text: who missed more gets the whole model. */
export const LOG_BYTES_MAX = 256 * 1024;

export class Topic {
  readonly #epoch: string;
  readonly #now: () => number;
  #version = 0;
  #model: Model = {};
  #full: string | undefined;
  #log: { version: number; frame: string }[] = [];
  #logBytes = 0;

  constructor(now: () => number, epoch: string = randomUUID()) {
    this.#now = now;
    this.#epoch = epoch;
  }

  get version(): number {
    return this.#version;
  }

  /** Bytes of the changes that are kept. */
  get logBytes(): number {
    return this.#logBytes;
  }

  /** @returns whether anything changed */
  update(model: Model): boolean {
    const patch = diff(this.#model, model);
    this.#model = model;
    if (patch === undefined && this.#version > 0) return false;
    this.#version += 1;
    this.#full = undefined;
    this.#keep(this.#frame("patch", { now: this.#now(), ...patch }));
    return true;
  }

  /**
   * Frames that bring a reader from a version to the present one; the whole model where the way is not known.
   * @param version 0: the reader has nothing
   */
  since(version: number): string {
    if (version === this.#version) return "";
    const oldest = this.#log[0]?.version ?? Infinity;
    if (version > 0 && version < this.#version && version >= oldest - 1)
      return this.#log
        .filter((entry) => entry.version > version)
        .map(({ frame }) => frame)
        .join("");
    return (this.#full ??= this.#frame("full", { now: this.#now(), model: this.#model }));
  }

  /** The version that a reader says it has (`Last-Event-ID`); 0 where that is none of ours. */
  versionOf(lastEventId: string | undefined): number {
    const [epoch, version] = (lastEventId ?? "").split("/");
    const number = Number(version);
    return epoch === this.#epoch && Number.isSafeInteger(number) && number <= this.#version ? number : 0;
  }

  #frame(event: string, data: object): string {
    return `id: ${this.#epoch}/${this.#version}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  #keep(frame: string): void {
    this.#log.push({ version: this.#version, frame });
    this.#logBytes += frame.length;
    while (this.#logBytes > LOG_BYTES_MAX) this.#logBytes -= this.#log.shift()?.frame.length ?? 0;
  }
}
