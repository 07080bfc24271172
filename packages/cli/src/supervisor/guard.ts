/**
 * Stands guard over the actuator: one that is dead or frozen cannot undo what it did, so it is done from outside, from
 * the journal, without any server.
 */
import {
  bootTimeUs,
  isAbandoned,
  msToNextLook,
  readHeartbeat,
  removeGuardMark,
  removeHeartbeat,
  writeGuardMark,
} from "@kvm-governor/linux";
import type { Heartbeat } from "@kvm-governor/linux";
import { isRestored, restoreHost } from "../restore-host.ts";
import type { RestorePlaces } from "../restore-host.ts";
import type { Child } from "./child.ts";
import type { LogEvent } from "./narrator.ts";

export interface GuardOptions extends RestorePlaces {
  /** Silence after which an actuator that follows no plan counts as frozen, in milliseconds. */
  silenceMsMax: number;
}

export class Guard {
  readonly #options: GuardOptions;
  readonly #tell: (event: LogEvent) => void;
  #timer: NodeJS.Timeout | undefined;
  /** Of an actuator that runs, as last read. */
  #heartbeat: Heartbeat | undefined;
  /** Only one restore at a time: a second one would find the lock taken. */
  #restoring: Promise<boolean> | undefined;
  /** What fails, and why, as last said. */
  readonly #failing = new Map<string, string>();

  constructor(options: GuardOptions, tell: (event: LogEvent) => void) {
    this.#options = options;
    this.#tell = tell;
  }

  /** Ends a frozen actuator; what follows its end (restore, restart) is the same as after a crash. */
  watch(actuator: () => Child | undefined): void {
    const { runDir, silenceMsMax } = this.#options;
    const waitMs = msToNextLook(this.#heartbeat, bootTimeUs(), silenceMsMax);
    this.#timer = setTimeout(() => {
      // Says that somebody would restore: an actuator that is told to leave guests held at its end asks for it.
      this.#tryTo("mark", () => writeGuardMark(runDir, bootTimeUs()));
      this.#heartbeat = undefined;
      this.#tryTo("look", () => this.#lookAt(actuator()));
      if (this.#timer !== undefined) this.watch(actuator);
    }, waitMs);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#tryTo("end", () => removeGuardMark(this.#options.runDir));
  }

  #lookAt(actuator: Child | undefined): void {
    if (actuator?.running !== true || !this.#isFrozen(actuator)) return;
    this.#say("error", "actuator-frozen", "frozen past its plan's time to live: killed");
    // Killed first: a heartbeat that cannot be removed must not save it.
    actuator.kill("SIGKILL");
    removeHeartbeat(this.#options.runDir);
  }

  /** A full or broken `/run` must not end the supervisor: what fails is said when it begins, and when it is over. */
  #tryTo(what: "mark" | "look" | "end", action: () => void): void {
    try {
      action();
      if (this.#failing.delete(what)) this.#say("info", `guard-${what}-works-again`, "the guard works again");
    } catch (error) {
      const { message } = error as Error;
      if (this.#failing.get(what) === message) return;
      this.#failing.set(what, message);
      this.#say("error", `guard-${what}-failed`, `the guard goes on, but: ${message}`);
    }
  }

  /** Restores what a dead actuator left. @returns whether every guest is at its baseline */
  restoreLeftovers(): Promise<boolean> {
    this.#restoring ??= this.#restore().finally(() => (this.#restoring = undefined));
    return this.#restoring;
  }

  /** A new actuator has not said anything yet: only its own heartbeat counts. */
  #isFrozen(child: Child): boolean {
    const heartbeat = (this.#heartbeat = readHeartbeat(this.#options.runDir));
    if (heartbeat === undefined || heartbeat.pid !== child.pid) return false;
    return isAbandoned(heartbeat, bootTimeUs(), this.#options.silenceMsMax);
  }

  async #restore(): Promise<boolean> {
    try {
      const report = await restoreHost({ ...this.#options, reason: "the actuator is gone" });
      for (const { guest, outcome, notes } of report.guests) {
        const why = notes.length === 0 ? "" : ` (${notes.join("; ")})`;
        if (outcome === "failed")
          this.#say("error", "restore-failed", `${guest.name} could not be restored${why}`);
        else this.#say("info", "restored", `${guest.name} is back at its baseline: ${outcome}${why}`);
      }
      return isRestored(report);
    } catch (error) {
      this.#say("error", "restore-failed", `could not restore: ${(error as Error).message}`);
      return false;
    }
  }

  #say(level: string, event: string, msg: string): void {
    this.#tell({ service: "guard", level, event, msg, time: new Date().toISOString() });
  }
}
