/** The governor at work on the demo's guests, and on no others. */
import { setTimeout as sleep } from "node:timers/promises";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { settingsSchema } from "@kvm-governor/policy";
import { Governor } from "../supervisor/governor.ts";
import { narrate } from "../supervisor/narrator.ts";
import type { LogEvent } from "../supervisor/narrator.ts";
import { AppliedReports } from "./applied-reports.ts";
import { RedisLists } from "./redis-lists.ts";
import type { Stage } from "./stage.ts";

export interface ManagerSettings {
  preset: string;
  checkPeriodMs: number;
  beta: number;
  /** Guests that the policy file declares to be services, by name; their class is not inferred. */
  declaredServices?: readonly string[];
}

/** The manager did not come to work, or stopped working; the message holds what it said last. */
export class ManagerError extends Error {
  override readonly name = "ManagerError";
}

const HOST_ID = "demo";
const READY_MS_MAX = 30_000;

export class Manager {
  readonly lists: RedisLists;
  readonly reports: AppliedReports;
  readonly #governor: Governor;

  private constructor(governor: Governor, lists: RedisLists) {
    this.#governor = governor;
    this.lists = lists;
    this.reports = new AppliedReports(governor.bus);
  }

  /**
   * Starts servers and services, and waits until all guests of the stage are in LIST_se.
   * @param fail hears when a service cannot be kept running later
   * @throws {ManagerError} {ServerError} {ToolboxError} nothing stays behind
   */
  static async start(
    stage: Stage,
    name: string,
    settings: ManagerSettings,
    say: (line: string) => void,
    fail: (error: ManagerError) => void,
    signal: AbortSignal,
  ): Promise<Manager> {
    const governor = await Governor.start(options(stage, name, settings, say));
    const said: string[] = [];
    const own = new Set<unknown>(stage.actors.map(({ guest }) => guest.uuid));
    governor.on("event", (event: LogEvent) => {
      // Other guests of this machine are seen as well, and left alone.
      const line = event["uuid"] === undefined || own.has(event["uuid"]) ? narrate(event) : undefined;
      if (line === undefined) return;
      said.push(line);
      say(line);
    });
    governor.on("failed", (reason) => fail(new ManagerError(reason)));
    let lists: RedisLists | undefined;
    try {
      lists = await RedisLists.open(governor.store, HOST_ID);
      await untilKnown(stage, lists, said, signal);
      return new Manager(governor, lists);
    } catch (error) {
      lists?.close();
      await governor.stop();
      throw error;
    }
  }

  /** Address of the console while it is at work. */
  get consoleUrl(): string {
    return `${this.#governor.urls.get("classifier") ?? ""}/console/`;
  }

  /** Address of a guest's page of the console. */
  guestUrl(uuid: string): string {
    return `${this.consoleUrl}host/${HOST_ID}/guest/${uuid}`;
  }

  /** @returns whether the governor itself says that every guest is as it was */
  async stop(): Promise<boolean> {
    this.lists.close();
    await this.reports.close();
    const { restored } = await this.#governor.stop();
    return restored;
  }
}

function options(
  stage: Stage,
  name: string,
  settings: ManagerSettings,
  log: (line: string) => void,
): Parameters<typeof Governor.start>[0] {
  return {
    ...stage.governorDirs(name),
    libvirtRunDir: path.join(stage.libvirt.runDir, "qemu"),
    planTtlMs: settingsSchema.shape.planTtlMs.parse(undefined),
    listen: { collector: "127.0.0.1:0", classifier: "127.0.0.1:0", actuator: "127.0.0.1:0" },
    settings: {
      // A file of this machine's own must not reach into the demo.
      CONFIG: write(path.join(stage.dir, "governor", `${name}.yaml`), "{}\n"),
      POLICY_FILE: write(path.join(stage.dir, "governor", `${name}-policy.yaml`), policy(stage, settings)),
      HOST_ID,
      LOG_LEVEL: "info",
      PRESET: settings.preset,
      CHECK_PERIOD_MS: String(settings.checkPeriodMs),
      BETA: String(settings.beta),
      // What takes hours elsewhere takes seconds here: a guest that moved may move back at once.
      COOL_DOWN_MS: "0",
    },
    log,
  };
}

/**
 * Rules (JSON is YAML): every other guest of this machine is exempt. A rule by UUID ranks above the one by name, and so
 * does metadata: the web guests' promise stands there.
 */
function policy(stage: Stage, { declaredServices = [] }: ManagerSettings): string {
  const undeclared = stage.actors.filter(({ slaCores }) => slaCores === undefined);
  const own = undeclared.map(({ name, guest }) => ({
    match: { uuid: guest.uuid },
    class: declaredServices.includes(name) ? "service" : "auto",
  }));
  return JSON.stringify({ rules: [...own, { match: { name: "*" }, class: "exempt" }] });
}

function write(file: string, text: string): string {
  writeFileSync(file, text);
  return file;
}

async function untilKnown(
  stage: Stage,
  lists: RedisLists,
  said: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + READY_MS_MAX;
  for (;;) {
    const known = await lists.service();
    const missing = stage.actors.filter(({ guest }) => !known.has(guest.uuid));
    if (missing.length === 0) return;
    if (performance.now() > deadline) {
      const names = missing.map(({ name }) => name).join(", ");
      const last = said.slice(-5).join("\n");
      throw new ManagerError(
        `after ${READY_MS_MAX / 1000} s the manager does not know ${names}. It said:\n${last}`,
      );
    }
    await sleep(100, undefined, { signal });
  }
}
