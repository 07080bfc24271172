/** The commands that look and do not touch. */
import { Argument, Option } from "commander";
import type { Command } from "commander";
import { CLASSIFIER_URL } from "./api/client.ts";
import { SHELLS } from "./completion/scripts.ts";
import type { explain } from "./commands/explain.ts";
import { late } from "./late.ts";

/** Runs a command and turns what comes of it into an exit code and a message. */
type Finish = <Flags>(command: (flags: Flags) => Promise<number>) => (flags: Flags) => Promise<void>;

export function addOperatorCommands(program: Command, finish: Finish): void {
  const url = new Option("--url <url>", "address of the classifier")
    .env("KVMGOV_CLASSIFIER_URL")
    .default(CLASSIFIER_URL);
  const asking = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .addOption(url)
      .option("--host <id or name>", "this host only");

  asking("lists", "which guests are in LIST_se and LIST_sc, for how long, and who is exempt")
    .option("--json", "print one JSON line")
    .action(finish(late(async () => (await import("./commands/lists.ts")).lists)));
  asking("explain", "why a guest is where it is: what was seen, which rule, which writes, since when")
    .argument("<guest>", "name or UUID")
    .option("--json", "print one JSON line")
    .action((guest: string, flags: Parameters<typeof explain>[1]) =>
      finish(async () => (await import("./commands/explain.ts")).explain(guest, flags))(flags),
    );
  asking("plan", "what is planned for each guest and why")
    .option("--dry-run", "which values the actuator would write now, and why")
    .option("--json", "print one JSON line")
    .action(finish(late(async () => (await import("./commands/plan.ts")).plan)));
  asking("top", "live table of all guests; in a pipe one frame")
    .option("--interval <seconds>", "time between two looks", "1")
    .option("--sort <column>", "class, name, host, used, waited or switches", "class")
    .option("--json", "print one frame as a JSON line")
    .action(finish(late(async () => (await import("./commands/top.ts")).top)));
  program
    .command("doctor")
    .description("what is missing on this host, and how to get it")
    .addOption(url)
    .option("--json", "print one JSON line")
    .action(finish(late(async () => (await import("./commands/doctor.ts")).doctor)));
  program
    .command("version")
    .description("version of this program and of what it runs on")
    .option("--json", "print one JSON line")
    .action(
      finish(async (flags: { json?: boolean }) => {
        const { version } = await import("./commands/version.ts");
        return version(program.version() ?? "unknown", flags);
      }),
    );
  program
    .command("completion")
    .description("print the completion script of a shell")
    .addArgument(new Argument("<shell>", "of which shell").choices(SHELLS))
    .option("--json", "print it as one JSON line")
    .action((shell: string, flags: { json?: boolean }) =>
      finish(async () => (await import("./commands/completion.ts")).completion(program, shell, flags))(flags),
    );
}
