/** Fields that several contracts share. CPU amounts are in cores: 1.5 is one and a half CPUs. */
import { z } from "zod";

/** Version of the contracts; a part of every subject. Unknown fields are tolerated within a version. */
export const CONTRACT_VERSION = 1;

const HOST_ID = /^[A-Za-z0-9_-]{1,128}$/;
/** Immutable id of a host: the token that stands in subjects and keys. */
export const hostId = z.string().regex(HOST_ID, "must be 1 to 128 of A-Z a-z 0-9 _ -");

export const schemaVersion = z.literal(CONTRACT_VERSION);

const BOOT_ID = /^[0-9a-f-]{8,64}$/;
/** Id of one boot of a host's kernel (/proc/sys/kernel/random/boot_id). */
export const bootId = z.string().regex(BOOT_ID, "must be a boot id as the kernel prints it");

const GUEST_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** UUID of a guest, lower case. */
export const guestUuid = z.string().regex(GUEST_UUID, "must be a lower-case UUID");

/** Name of a guest. May be anything that a tenant chose: quotes, commas and newlines included. */
export const guestName = z.string().min(1).max(1024);

/** A point of the host's CLOCK_BOOTTIME in microseconds: grows also in suspend, restarts only with the boot. */
export const bootTimeUs = z.int().min(0);

/** An amount of CPU in cores. */
export const cores = z.number().min(0).max(65_536);

/** Largest part of the time that a service's vCPUs may wait to run, in 99 of 100 check periods. */
export const slaDelay = z.number().gt(0, "must be more than 0").lte(1, "must be at most 1");

/** Number of a logical CPU. */
export const cpuNumber = z.int().min(0).max(65_535);

/** A set of logical CPUs, ascending, never empty. */
export const cpuSet = z
  .array(cpuNumber)
  .min(1)
  .max(65_536)
  .refine(
    (cpus) => cpus.every((cpu, i) => i === 0 || cpu > (cpus[i - 1] ?? 0)),
    "must ascend, without repeats",
  );

/** What an operator says a guest is. `auto`: inferred from its use. `exempt`: never touched. */
export const declaredClass = z.enum(["auto", "service", "scientific", "exempt"]);
export type DeclaredClass = z.infer<typeof declaredClass>;

/** The two kinds of guests of the paper (LIST_se and LIST_sc). */
export const guestClass = z.enum(["service", "scientific"]);
export type GuestClass = z.infer<typeof guestClass>;

/** As the schemas above, for the check of samples by hand (exact-sample.ts). */
export const isHostId = (value: unknown): boolean => typeof value === "string" && HOST_ID.test(value);
export const isBootId = (value: unknown): boolean => typeof value === "string" && BOOT_ID.test(value);
export const isGuestUuid = (value: unknown): boolean => typeof value === "string" && GUEST_UUID.test(value);
