/** Comparing what was read of the kernel at two moments. */
import type { KernelState } from "./case-host.ts";

/** What differs, as `KEY: OLD -> NEW`. */
export function changes(before: KernelState, after: KernelState): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys
    .filter((key) => before[key] !== after[key])
    .map((key) => `${key}: ${JSON.stringify(before[key])} -> ${JSON.stringify(after[key])}`);
}

/** The entries of a state that another has too. */
export function part(state: KernelState, keys: KernelState): KernelState {
  return Object.fromEntries(Object.entries(state).filter(([key]) => key in keys));
}

/** Files with a name and a content that match. */
export function countOf(state: KernelState, file: RegExp, text: RegExp): number {
  return Object.entries(state).filter(([key, value]) => file.test(key) && text.test(value)).length;
}
