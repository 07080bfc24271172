/** A process that sleeps and passes for a guest with one vCPU: real enough for what asks whether a guest still runs. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { startTimeOf, type Guest } from "@kvm-governor/linux";
import type { GuestPlan } from "@kvm-governor/policy";

export interface SleepingGuest extends AsyncDisposable {
  readonly guest: Guest;
  /** Ends the process. */
  end(): Promise<void>;
}

/** @param number of the guest among others: makes its name and UUID */
export function startSleepingGuest(number: number): SleepingGuest {
  const child = spawn("sleep", ["600"], { stdio: "ignore" });
  const pid = child.pid ?? 0;
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
  const guest: Guest = {
    uuid: `5a1c0f6e-0000-4000-8000-${String(number).padStart(12, "0")}`,
    name: `sleeper-${number}`,
    source: "qemu",
    pid,
    startTime: startTimeOf("/proc", pid) ?? 0,
    state: "running",
    vcpus: [{ index: 0, tid: pid }],
    ioThreads: [],
    emulatorTids: [],
  };
  return { guest, end, [Symbol.asyncDispose]: end };
}

/** A plan that holds each vCPU of a guest on CPU 0 and leaves the rest as it was found. */
export function onCpu0({ uuid, name, pid, startTime, vcpus }: Guest): GuestPlan {
  return {
    uuid,
    name,
    pid,
    startTime,
    class: "scientific",
    count: 0,
    since: 0,
    vcpus: vcpus.map(({ index }) => ({ index, bandwidth: "baseline", cpus: [0] })),
    weight: "baseline",
    emulatorCpus: "baseline",
    ioThreadCpus: "baseline",
    reasons: [{ code: "test", text: "the test wants it" }],
  };
}
