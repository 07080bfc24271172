/** Makes planned writes, one after the other, and says what became of each. */
import type { WriteReport } from "@kvm-governor/policy";
import { reportedFile } from "./places.ts";
import { withoutNewline, type ControlIo } from "./kernel-io.ts";
import type { Write } from "./write.ts";

export interface WriteResult {
  write: Write;
  /** Value before this write. */
  old: string;
  readBack?: string;
  error?: string;
  /** Symbolic errno of a write that the kernel refused. */
  code?: string;
}

/**
 * Writes in order. After a failure the rest of the same setting is left alone: a quota that was refused must not be followed by
 * the period that belongs to it. Other settings go on; but where one vCPU did not get what it was to get, none loses anything, since
 * the guest would be below what it had and what it was to have. A thread that was moved out of its group goes back whatever happens;
 * one that has ended meanwhile is no failure.
 * @param forbidden why nothing may be written any more; asked before each write, since a process may be frozen between two
 * @param witness told of each write right after it was made or refused
 */
export async function executeWrites(
  writes: readonly Write[],
  io: ControlIo,
  forbidden: () => string | undefined = () => undefined,
  witness?: (result: WriteResult) => void,
): Promise<WriteResult[]> {
  const failed = new Set<string>();
  let isShort = false;
  /** Threads that are out of their group. */
  const away = new Set<string>();
  const results: WriteResult[] = [];
  for (const write of writes) {
    const isReturn = write.op === "move" && write.back === true;
    if (isReturn && !away.has(write.text)) continue;
    const chain = chainOf(write);
    const old = io.read(write.key);
    const result: WriteResult = { write, old: old === undefined ? "" : withoutNewline(old) };
    const why = isReturn ? undefined : forbidden();
    if (why !== undefined) {
      results.push({ ...result, error: `not written: ${why}`, code: "FORBIDDEN" });
      continue;
    }
    const skipped = isReturn
      ? undefined
      : failed.has(chain)
        ? "an earlier write of this setting failed"
        : isShort && write.takes === true
          ? "another vCPU did not get what it was to get"
          : undefined;
    if (skipped !== undefined) {
      results.push({ ...result, error: `not written: ${skipped}`, code: "SKIPPED" });
      continue;
    }
    // The kernel may have set the affinity itself, when the cpuset before it was written.
    if (write.op === "affinity" && result.old === write.text) continue;
    const made = await attempt(result, io, () => {
      failed.add(chain);
      isShort ||= write.setting === "bandwidth" && write.takes !== true;
    });
    if (write.op === "move" && made.code === "ESRCH") continue;
    if (made.error === undefined && write.op === "move") {
      if (isReturn) away.delete(write.text);
      else away.add(write.text);
    }
    witness?.(made);
    results.push(made);
  }
  return results;
}

async function attempt(result: WriteResult, io: ControlIo, fail: () => void): Promise<WriteResult> {
  try {
    await io.write(result.write);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    if (result.write.op !== "move" || code !== "ESRCH") fail();
    return { ...result, error: message, code: code ?? "EUNKNOWN" };
  }
  return result;
}

function chainOf(write: Write): string {
  if (write.op === "affinity") return write.key;
  return `${write.target} ${write.setting === "idle" ? "weight" : write.setting}`;
}

/**
 * Reads every written key once, after the last write, and compares. Only the last write to a key is held against it: the
 * ones before it were steps on the way.
 */
export function readBack(results: readonly WriteResult[], io: Pick<ControlIo, "read">): WriteResult[] {
  const last = new Map(results.map((result, at) => [result.write.key, at]));
  return results.map((result, at) => {
    if (result.write.op === "move" || result.error !== undefined || last.get(result.write.key) !== at) {
      return result;
    }
    const raw = io.read(result.write.key);
    if (raw === undefined) return { ...result, error: "gone at read-back", code: "ENOENT" };
    const value = withoutNewline(raw);
    if (value === result.write.text) return { ...result, readBack: value };
    return { ...result, readBack: value, error: `reads back as ${JSON.stringify(value)}`, code: "MISMATCH" };
  });
}

/** A result as the `applied` contract has it. */
export function reportOf(result: WriteResult, guest: string, mountPoints: readonly string[]): WriteReport {
  const { write } = result;
  return {
    guest,
    target: write.target,
    setting: write.setting,
    file: reportedFile(write.key, mountPoints),
    old: result.old,
    wanted: write.text,
    ...(result.readBack !== undefined && { readBack: result.readBack }),
    ...(result.error !== undefined && { error: result.error.slice(0, 1024) }),
  };
}
