/** Names on the bus, in one place. */
import { CONTRACT_VERSION } from "./fields.ts";

const prefix = `kvmgov.v${CONTRACT_VERSION}`;

/**
 * Parts that the hosts of a fleet are divided into: a classifier takes whole parts, so that the ticks of one host go to
 * one classifier, in order. It stands in subjects: another number is another contract.
 */
export const PARTITIONS = 32;
/** In place of a partition: messages of senders from before partitions, `kvmgov.v1.sample.<host>`. */
export const UNPARTITIONED = PARTITIONS;

/** The partition of a host, 0 to PARTITIONS - 1: FNV-1a of its id, folded. Never changes for a host. */
export function partitionOf(host: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < host.length; at++) hash = Math.imul(hash ^ host.charCodeAt(at), 0x01000193);
  return ((hash ^ (hash >>> 16)) >>> 0) % PARTITIONS;
}

/** Subject of one host's messages of one kind. Those that one classifier works off in order carry the partition. */
export const subjects = {
  sample: (host: string): string => `${prefix}.sample.${host}.${partitionOf(host)}`,
  applied: (host: string): string => `${prefix}.applied.${host}.${partitionOf(host)}`,
  host: (host: string): string => `${prefix}.host.${host}`,
};

/** Subject of one host's messages of one kind without a partition: as hosts of version 0.1 send them. */
export function unpartitionedSubject(kind: keyof typeof subjects, host: string): string {
  return `${prefix}.${kind}.${host}`;
}

/** All hosts' messages of one kind. */
export const allSubjects = {
  sample: `${prefix}.sample.>`,
  applied: `${prefix}.applied.>`,
  host: `${prefix}.host.>`,
};

/** All messages of one kind from the hosts of one partition, or from those that send none ({@link UNPARTITIONED}). */
export function partitionSubject(kind: keyof typeof subjects, partition: number): string {
  return partition === UNPARTITIONED ? unpartitionedSubject(kind, "*") : `${prefix}.${kind}.*.${partition}`;
}

/** JetStream streams, one a kind of message, so that each has limits of its own. */
export const streams = { sample: "KVMGOV_SAMPLE", applied: "KVMGOV_APPLIED", host: "KVMGOV_HOST" };

/** Stream of messages that were refused, each with its reason: for people to look at. */
export const REFUSED_STREAM = "KVMGOV_REFUSED";
export const allRefusedSubject = `${prefix}.refused.>`;

/** Where a refused message of a host goes. @param host of its subject; "" where that names none */
export function refusedSubject(kind: keyof typeof subjects, host: string): string {
  return `${prefix}.refused.${kind}.${host === "" ? "-" : host}`;
}

/** Where a classifier says that it is alive; `*` for all of them. Not kept by any stream. */
export function memberSubject(member: string): string {
  return `${prefix}.classifier.${member}`;
}

/** Where classifiers ask each other for facts of their hosts; `*` for questions of all kinds. Not kept by any stream; hosts have no right to it. */
export function questionSubject(kind: string): string {
  return `${prefix}.facts.${kind}`;
}

/** Where answers to one question of a classifier come; `*` for all of its questions. Of its own, so that no host may listen. */
export function answerSubject(member: string, question: string): string {
  return `${prefix}.answer.${member}.${question}`;
}

/** KV bucket of plans, one key a host. */
export const PLANS_BUCKET = "plans";

/**
 * Host id in a subject of ours, or undefined where it is none, also for a partition that is not the host's own: its
 * messages would overtake each other on two ways.
 */
export function hostOfSubject(subject: string): string | undefined {
  const [first, version, , host, partition, ...more] = subject.split(".");
  if (`${first}.${version}` !== prefix || host === undefined || more.length > 0) return undefined;
  return partition === undefined || partition === String(partitionOf(host)) ? host : undefined;
}

/** Where answers come to one host's services: its user may listen there and nowhere else. */
export function inboxPrefixOf(host: string): string {
  return `_INBOX.${host}`;
}
