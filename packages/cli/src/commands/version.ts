/** `kvmgov version`: of this program, and of what it runs on. */
import { release } from "node:os";
import { print } from "./asking.ts";

export function version(program: string, { json }: { json?: boolean }): Promise<number> {
  const facts = { version: program, node: process.version, kernel: release(), arch: process.arch };
  if (json === true) print([JSON.stringify(facts)]);
  else print([`kvm-governor ${facts.version} (Node ${facts.node}, Linux ${facts.kernel}, ${facts.arch})`]);
  return Promise.resolve(0);
}
