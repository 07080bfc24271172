/** What older versions left behind: see the README. */
import { readFileSync } from "node:fs";
import path from "node:path";

/** Commits the services of which wrote what is in the directory of that name, oldest first. */
export const OLDER = ["3cfa0a4", "16d47f9"];

/** The host that they governed. */
export const HOST = "older-host";

/** Keys of Redis: hashes, and sets as sorted lists. */
export type Keys = Record<string, Record<string, string> | string[]>;

export interface BusState {
  streams: {
    config: { name: string };
    consumers: { durable_name?: string }[];
    /** Last message of each subject. */
    last: { subject: string; data: string }[];
  }[];
}

export const olderFile = (version: string, name: string): string =>
  path.join(import.meta.dirname, version, name);

const read = (version: string, name: string): unknown =>
  JSON.parse(readFileSync(olderFile(version, name), "utf8"));

export const olderKeys = (version: string): Keys => read(version, "redis.json") as Keys;
export const olderBus = (version: string): BusState => read(version, "bus.json") as BusState;

/** The last message of a kind: the subject, and what it says. */
export function olderMessage(version: string, start: string): { subject: string; data: string } {
  const found = olderBus(version)
    .streams.flatMap(({ last }) => last)
    .find(({ subject }) => subject.startsWith(start));
  if (found === undefined) throw new Error(`${version}: no message on ${start}`);
  return found;
}
