/** Names on the bus, in one place. */
import { CONTRACT_VERSION } from "./fields.ts";

const prefix = `kvmgov.v${CONTRACT_VERSION}`;

/** Subject of one host's messages of one kind; `*` for all hosts. */
export const subjects = {
  sample: (host: string): string => `${prefix}.sample.${host}`,
  applied: (host: string): string => `${prefix}.applied.${host}`,
  host: (host: string): string => `${prefix}.host.${host}`,
};

/** JetStream streams, one a kind of message, so that each has limits of its own. */
export const streams = { sample: "KVMGOV_SAMPLE", applied: "KVMGOV_APPLIED", host: "KVMGOV_HOST" };

/** KV bucket of plans, one key a host. */
export const PLANS_BUCKET = "plans";

/** Host id in a subject of ours, or undefined where it is none. */
export function hostOfSubject(subject: string): string | undefined {
  const parts = subject.split(".");
  return parts.length === 4 && `${parts[0]}.${parts[1]}` === prefix ? parts[3] : undefined;
}

/** Where answers come to one host's services: its user may listen there and nowhere else. */
export function inboxPrefixOf(host: string): string {
  return `_INBOX.${host}`;
}
