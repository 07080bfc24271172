/** The governor at work on the experiment's guests, and on no others. */
import { settingsSchema } from "@kvm-governor/policy";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisLists } from "../../../packages/cli/src/demo/redis-lists.ts";
import { Governor } from "../../../packages/cli/src/supervisor/governor.ts";
import type { BenchOptions } from "./plan.ts";
import { type Stage, guestsOf } from "./stage.ts";

/** The governor did not come to work, or could not be kept at work. */
export class GovernorError extends Error {
  override readonly name = "GovernorError";
}

export interface RunningGovernor {
  /** UUIDs in LIST_sc. */
  scientific(): Promise<ReadonlySet<string>>;
  /** @throws {GovernorError} a service could not be kept running meanwhile */
  stop(): Promise<void>;
}

const HOST_ID = "paper";
const READY_MS_MAX = 60_000;
const LISTEN = "127.0.0.1:0";

/**
 * Starts it, and waits until it knows every guest.
 * @param settings by the names of their variables, without the prefix
 * @throws {GovernorError} nothing stays behind
 */
export async function startGovernor(
  stage: Stage,
  settings: Readonly<Record<string, string>>,
  options: Pick<BenchOptions, "checkPeriodMs" | "beta">,
): Promise<RunningGovernor> {
  const governor = await Governor.start(governorOptions(stage, settings, options));
  let failure: string | undefined;
  governor.on("failed", (reason) => (failure = reason));
  const lists = await RedisLists.open(governor.store, HOST_ID);
  const stop = async (): Promise<void> => {
    lists.close();
    await governor.stop();
    if (failure !== undefined) throw new GovernorError(failure);
  };
  try {
    for (const deadline = Date.now() + READY_MS_MAX; ;) {
      const known = new Set([...(await lists.service()), ...(await lists.scientific())]);
      const missing = guestsOf(stage).filter(({ uuid }) => !known.has(uuid));
      if (missing.length === 0) return { scientific: () => lists.scientific(), stop };
      if (Date.now() > deadline || failure !== undefined) {
        const names = missing.map(({ name }) => name).join(", ");
        throw new GovernorError(
          `the governor does not know ${names}${failure === undefined ? "" : `: ${failure}`}`,
        );
      }
      await sleep(100);
    }
  } catch (error) {
    await stop();
    throw error;
  }
}

function governorOptions(
  stage: Stage,
  settings: Readonly<Record<string, string>>,
  { checkPeriodMs, beta }: Pick<BenchOptions, "checkPeriodMs" | "beta">,
): Parameters<typeof Governor.start>[0] {
  const dir = path.join(stage.dir, "governor");
  const file = (name: string, text: string): string => {
    writeFileSync(path.join(dir, name), text);
    return path.join(dir, name);
  };
  // New at each start: lists and cool-downs of the round before must not be remembered.
  const own = path.join(dir, String(Date.now()));
  return {
    stateDir: path.join(own, "state"),
    runDir: path.join(own, "run"),
    libvirtRunDir: path.join(stage.libvirt.runDir, "qemu"),
    planTtlMs: settingsSchema.shape.planTtlMs.parse(undefined),
    listen: { collector: LISTEN, classifier: LISTEN, actuator: LISTEN },
    settings: {
      CONFIG: file("config.yaml", "{}\n"), // a file of this machine's own must not reach in here
      POLICY_FILE: file("policy.yaml", policy(stage)),
      HOST_ID,
      LOG_LEVEL: "info",
      ...settings,
      CHECK_PERIOD_MS: String(checkPeriodMs),
      BETA: String(beta),
    },
    log: () => undefined,
  };
}

/** JSON is YAML. The services declare themselves in their metadata; what the scientific guest is has to be found out. */
function policy(stage: Stage): string {
  const own = { match: { uuid: stage.scientific.uuid }, class: "auto" };
  return JSON.stringify({ rules: [own, { match: { name: "*" }, class: "exempt" }] });
}
