/** The managed part of the experiment over and over, so that there is time to look at it in the console. */
import { runArm } from "./arm.ts";
import { onStage, withFailure } from "./experiment.ts";
import type { ExperimentOptions } from "./experiment.ts";
import { Manager } from "./manager.ts";

/**
 * Until the signal is aborted; then everything is put away.
 * @throws AbortError of the signal; {ManagerError} {LabError} {ToolboxError} nothing stays behind
 */
export function watchAtWork(options: ExperimentOptions): Promise<never> {
  return onStage(options, ({ stage, schedule }) =>
    withFailure(options, async (fail, signal) => {
      const manager = await Manager.start(stage, "governor", options, options.say, fail, signal);
      try {
        for (const line of invitation(manager, stage.scientific.guest.uuid, options.seconds))
          options.say(line);
        for (let round = 1; ; round++) {
          await runArm({
            actors: stage.actors,
            schedule,
            signal,
            scientificList: () => manager.lists.scientific(),
            onTick: (tick) => options.onTick(`with kvm-governor, round ${round}`, tick),
          });
          options.onRunEnd();
        }
      } finally {
        await manager.stop();
      }
    }),
  );
}

function invitation(manager: Manager, scientific: string, seconds: number): string[] {
  return [
    "",
    "Look at it in a browser:",
    `  console     ${manager.consoleUrl}`,
    `  scientific  ${manager.guestUrl(scientific)}`,
    "",
    `The guest "scientific" begins to compute ${Math.round(seconds * 0.06)} s from now, and becomes scientific a little later;`,
    `it stops, and goes on, twice in ${seconds} s. Then it begins again. Ctrl-C ends it and puts everything away.`,
    "",
  ];
}
