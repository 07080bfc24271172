/** Looks after the heartbeat of an actuator that is not its child, and takes over when that is silent for too long. */
import {
  bootTimeUs,
  isAbandoned,
  msToNextLook,
  readHeartbeat,
  readLockHolder,
  removeGuardMark,
  removeHeartbeat,
  startTimeOf,
  takeOver,
  writeGuardMark,
} from "@kvm-governor/linux";
import type { Heartbeat, RestoreOptions, TakeOverReport } from "@kvm-governor/linux";
import type { Logger } from "@kvm-governor/service-kit";

/** After a restore that failed, until it is tried again, in microseconds. */
const RETRY_US = 5_000_000;
/** An actuator that asked for a guard just before there was none has ended by then, in microseconds. */
const LAST_ASKED_US = 3_000_000;
/** For how long a guardian that ends waits for the next actuator, in microseconds. */
const LINGER_US = 6_000_000;

export interface GuardianOptions {
  stateDir: string;
  runDir: string;
  /** Running guests: for a journal that was lost. */
  guests: NonNullable<RestoreOptions["guests"]>;
  /** Silence after which an actuator that follows no plan counts as frozen, in milliseconds. */
  silenceMsMax: number;
  log: Logger;
  /** CLOCK_BOOTTIME in microseconds. */
  nowUs?: () => number;
  takeOver?: (options: RestoreOptions) => Promise<TakeOverReport>;
}

export class Guardian {
  readonly #options: GuardianOptions;
  readonly #nowUs: () => number;
  #retryAtUs = 0;
  /** As last read. */
  #heartbeat: Heartbeat | undefined;
  #endingSinceUs: number | undefined;
  /** An actuator that holds the lock and has not beaten yet, and since when it has been seen. */
  #newcomer: { pid: number; sinceUs: number } | undefined;

  constructor(options: GuardianOptions) {
    this.#options = options;
    this.#nowUs = options.nowUs ?? bootTimeUs;
  }

  /**
   * Never throws: what a take-over fails at is said, and tried again.
   * @returns time until it is to be called again, in milliseconds
   */
  async look(): Promise<number> {
    this.#heartbeat = undefined;
    await this.#look();
    return msToNextLook(this.#heartbeat, this.#nowUs(), this.#options.silenceMsMax);
  }

  async #look(): Promise<void> {
    const { runDir, silenceMsMax } = this.#options;
    const nowUs = this.#nowUs();
    try {
      // Says that somebody would restore: an actuator that is told to leave guests held at its end asks for it.
      writeGuardMark(runDir, nowUs);
      const heartbeat = (this.#heartbeat = readHeartbeat(runDir));
      if (heartbeat?.holding !== true || nowUs < this.#retryAtUs) return;
      if (!isAbandoned(heartbeat, nowUs, silenceMsMax) || this.#isBeginning(heartbeat, nowUs)) return;
      await this.#takeOver(heartbeat, nowUs);
    } catch (error) {
      this.#retryAtUs = nowUs + RETRY_US;
      const text = `guests may still be held: ${(error as Error).message}`;
      this.#options.log.error({ event: "take-over-failed", err: error }, text);
    }
  }

  /**
   * To be called when the guardian is told to end, a few times a second until it says so. Both may be told to end at once
   * (`docker-compose down`), and the actuator may have left its guests held to a guard that was still there: they go back unless
   * the next actuator comes soon. One that lives on sees that nobody stands guard.
   * @returns whether it may end
   */
  async end(): Promise<boolean> {
    const { runDir } = this.#options;
    const nowUs = this.#nowUs();
    this.#endingSinceUs ??= nowUs;
    const waitedUs = nowUs - this.#endingSinceUs;
    try {
      removeGuardMark(runDir);
      const heartbeat = readHeartbeat(runDir);
      if (heartbeat?.holding !== true) return true;
      const holder = this.#runningHolder();
      if (holder !== undefined && holder !== heartbeat.pid) return true;
      const livesOn = holder !== undefined && heartbeat.isLeft !== true;
      if (livesOn && heartbeat.bootTimeUs - this.#endingSinceUs > LAST_ASKED_US) return true;
      if (waitedUs < LINGER_US) return false;
      await this.#takeOver(heartbeat, nowUs);
    } catch (error) {
      const text = `guests may still be held: ${(error as Error).message}`;
      this.#options.log.error({ event: "take-over-failed", err: error }, text);
    }
    return true;
  }

  /** The next actuator restores by itself before it beats: it is given as long for that as one may be silent. */
  #isBeginning({ pid }: Heartbeat, nowUs: number): boolean {
    const holder = this.#runningHolder();
    if (holder === undefined || holder === pid) return false;
    if (this.#newcomer?.pid !== holder) this.#newcomer = { pid: holder, sinceUs: nowUs };
    return nowUs - this.#newcomer.sinceUs < this.#options.silenceMsMax * 1000;
  }

  #runningHolder(): number | undefined {
    const holder = readLockHolder(this.#options.stateDir);
    const isRunning = holder !== undefined && startTimeOf("/proc", holder.pid) === holder.startTime;
    return isRunning ? holder.pid : undefined;
  }

  async #takeOver(heartbeat: Heartbeat, nowUs: number): Promise<void> {
    const { stateDir, runDir, guests, log } = this.#options;
    const silentMs = Math.round((nowUs - heartbeat.bootTimeUs) / 1000);
    const fields = { event: "actuator-abandoned", pid: heartbeat.pid, silentMs };
    const why = this.#endingSinceUs === undefined ? "what it holds is void" : "this guardian ends";
    log.error(fields, `the actuator is silent for ${silentMs} ms and ${why}: taking over`);
    const reason = "the actuator is dead or frozen";
    const report = await (this.#options.takeOver ?? takeOver)({ stateDir, runDir, guests, reason });
    const failed = this.#say(report);
    // Another actuator may have begun meanwhile: its heartbeat stays.
    if (failed === 0 && readHeartbeat(runDir)?.bootTimeUs === heartbeat.bootTimeUs) removeHeartbeat(runDir);
    if (failed > 0) this.#retryAtUs = this.#nowUs() + RETRY_US;
  }

  /** @returns how many guests are not as they were */
  #say({ guests, unknown, killed }: TakeOverReport): number {
    const { log } = this.#options;
    if (killed !== undefined) log.warn({ event: "actuator-killed", pid: killed }, "it was frozen: killed");
    for (const { guest, outcome, notes } of guests) {
      const fields = { guest: guest.name, uuid: guest.uuid, outcome, notes };
      if (outcome === "failed")
        log.error({ event: "restore-failed", ...fields }, `guest ${guest.name} is not as it was`);
      else log.info({ event: "restored", ...fields }, `guest ${guest.name}: ${outcome}`);
    }
    for (const uuid of unknown)
      log.error({ event: "restore-unknown", uuid }, `guest ${uuid}: neither journal nor configuration tells`);
    return guests.filter(({ outcome }) => outcome === "failed").length;
  }
}
