/** The numbers of system calls against the kernel's own headers: copied lines, and those of this machine where it has them. */
import { describe, expect, test } from "@jest/globals";
import { existsSync, readFileSync } from "node:fs";
import { SYSCALL_NUMBERS, syscallNumber, UnsupportedArchitectureError } from "./syscalls.ts";
import type { Architecture, Syscall } from "./syscalls.ts";

/** Of Debian's linux-libc-dev 6.1: both are in the package of each architecture but unistd_64.h, which is x86's. */
const HEADERS: Record<Architecture, { file: string; copied: string }> = {
  x64: {
    file: "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    copied:
      "#define __NR_rt_tgsigqueueinfo 297\n#define __NR_perf_event_open 298\n#define __NR_recvmmsg 299\n" +
      "#define __NR_finit_module 313\n#define __NR_sched_setattr 314\n#define __NR_sched_getattr 315\n",
  },
  arm64: {
    file: "/usr/include/asm-generic/unistd.h",
    copied:
      "#define __NR_rt_tgsigqueueinfo 240\n__SC_COMP(__NR_rt_tgsigqueueinfo, sys_rt_tgsigqueueinfo, \\\n" +
      "#define __NR_perf_event_open 241\n__SYSCALL(__NR_perf_event_open, sys_perf_event_open)\n" +
      "#define __NR_sched_setattr 274\n__SYSCALL(__NR_sched_setattr, sys_sched_setattr)\n" +
      "#define __NR_sched_getattr 275\n__SYSCALL(__NR_sched_getattr, sys_sched_getattr)\n",
  },
};

function numberIn(header: string, call: string): number | undefined {
  const text = new RegExp(`^#define __NR_${call} (\\d+)$`, "m").exec(header)?.[1];
  return text === undefined ? undefined : Number(text);
}

const table = Object.entries(SYSCALL_NUMBERS).flatMap(([architecture, calls]) =>
  Object.entries(calls).map(
    ([call, number]) => [architecture, call, number] as [Architecture, Syscall, number],
  ),
);

describe.each(table)("on %s %s", (architecture, call, number) => {
  const { file, copied } = HEADERS[architecture];

  test("has the kernel's number", () => {
    expect(numberIn(copied, call)).toBe(number);
    expect(syscallNumber(call, architecture)).toBe(number);
  });

  const withHeader = existsSync(file) ? test : test.skip;
  withHeader(`has the number of ${file}${existsSync(file) ? "" : " — skipped: not on this machine"}`, () => {
    expect(numberIn(readFileSync(file, "utf8"), call)).toBe(number);
  });
});

test.each(["riscv64", "ia32", "", "constructor"])("is refused by name on %j", (architecture) => {
  expect(() => syscallNumber("perf_event_open", architecture)).toThrow(UnsupportedArchitectureError);
  expect(() => syscallNumber("perf_event_open", architecture)).toThrow(
    /perf_event_open is not known on .*: kvm-governor runs on x64 and arm64/,
  );
});
