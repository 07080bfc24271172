/** Configuration that all three services share; each extends it by keys of its own. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostId } from "@kvm-governor/policy";
import { z } from "zod";
import { natsTlsSchema } from "./tls-files.ts";

/** Least level of what is logged. */
export const logLevel = z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]);

/** HOST:PORT; port 0 is any free one. An IPv6 address stands in brackets. */
export const listenAddress = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):\d{1,5}$/, "must be HOST:PORT, an IPv6 address in brackets");

/** Keys of every service. */
export const serviceShape = {
  /** Where NATS is: `nats://HOST:PORT`, `tls://` for TLS; several by commas. */
  natsUrl: z.string().min(1).default("nats://127.0.0.1:4222"),
  /** User at NATS; none: without a login. */
  natsUser: z.string().optional(),
  /** Password at NATS; better in the environment than in a file. */
  natsPassword: z.string().optional(),
  /** TLS towards NATS, whose address must be a name then: files that are read again at each connect, so that renewed certificates count. */
  natsTls: natsTlsSchema.optional(),
  /** TLS and basic auth of the pages: a file in the form of Prometheus' exporter-toolkit. */
  webConfigFile: z.string().min(1).optional(),
  /** Least level of what is logged, as JSON lines on standard output. Read again at SIGHUP. */
  logLevel: logLevel.default("info"),
};

/** Keys of the services that run on every host. */
export const hostServiceShape = {
  ...serviceShape,
  /** Immutable id of this host; by default made from /etc/machine-id, hashed. */
  hostId: hostId.default(() => defaultHostId()),
  /** Where libvirt keeps the status files of running guests. */
  libvirtRunDir: z.string().min(1).default("/run/libvirt/qemu"),
  /** File with rules that declare classes and SLAs, see below. */
  policyFile: z.string().min(1).optional(),
  /** What survives a restart: baselines. */
  stateDir: z.string().min(1).default("/var/lib/kvm-governor"),
  /** What is gone after a boot: locks, heartbeat. */
  runDir: z.string().min(1).default("/run/kvm-governor"),
};

/**
 * A host's id: from /etc/machine-id, hashed with a name of our own because machine-id(5) asks that the id itself
 * never leaves the machine.
 * @throws {Error} no machine id: the host must be given `hostId`
 */
export function defaultHostId(file = "/etc/machine-id"): string {
  let machineId: string;
  try {
    machineId = readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new Error(`no host id: ${file} cannot be read; set hostId (KVMGOV_HOST_ID)`, { cause });
  }
  if (machineId === "") throw new Error(`no host id: ${file} is empty; set hostId (KVMGOV_HOST_ID)`);
  return createHash("sha256").update(`kvm-governor:${machineId}`).digest("hex").slice(0, 32);
}
