/** The commands that look and do not touch. */
import { Argument, Option } from "commander";
import type { Command } from "commander";
import { CLASSIFIER_URL } from "./api/client.ts";
import { completion, SHELLS } from "./commands/completion.ts";
import type { doctor } from "./commands/doctor.ts";
import { explain } from "./commands/explain.ts";
import { lists } from "./commands/lists.ts";
import { plan } from "./commands/plan.ts";
import { RECORD_DEFAULTS, record } from "./commands/record.ts";
import { replayCommand } from "./commands/replay.ts";
import { top } from "./commands/top.ts";
import { version } from "./commands/version.ts";

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
    .action(finish(lists));
  asking("explain", "why a guest is where it is: what was seen, which rule, which writes, since when")
    .argument("<guest>", "name or UUID")
    .option("--json", "print one JSON line")
    .action((guest: string, flags: Parameters<typeof explain>[1]) =>
      finish(() => explain(guest, flags))(flags),
    );
  asking("plan", "what is planned for each guest and why")
    .option("--dry-run", "which values the actuator would write now, and why")
    .option("--json", "print one JSON line")
    .action(finish(plan));
  asking("top", "live table of all guests; in a pipe one frame")
    .option("--interval <seconds>", "time between two looks", "1")
    .option("--sort <column>", "class, name, host, used, waited or switches", "class")
    .option("--json", "print one frame as a JSON line")
    .action(finish(top));
  addRecording(program, finish);
  program
    .command("doctor")
    .description("what is missing on this host, and how to get it")
    .addOption(url)
    .option("--json", "print one JSON line")
    .action(
      finish(async (flags: Parameters<typeof doctor>[0]) =>
        (await import("./commands/doctor.ts")).doctor(flags),
      ),
    );
  program
    .command("version")
    .description("version of this program and of what it runs on")
    .option("--json", "print one JSON line")
    .action(finish((flags: { json?: boolean }) => version(program.version() ?? "unknown", flags)));
  program
    .command("completion")
    .description("print the completion script of a shell")
    .addArgument(new Argument("<shell>", "of which shell").choices(SHELLS))
    .option("--json", "print it as one JSON line")
    .action((shell: string, flags: { json?: boolean }) =>
      finish(() => completion(program, shell, flags))(flags),
    );
}

function addRecording(program: Command, finish: Finish): void {
  program
    .command("record")
    .description("store the samples of hosts in files as they arrive, until Ctrl-C")
    .addOption(
      new Option(
        "--nats-url <url>",
        "listen there; without it a collector of its own measures this host",
      ).env("KVMGOV_NATS_URL"),
    )
    .option("--host <id>", "this host only")
    .option("--dir <dir>", "where the files go; by default recordings/ of the state directory")
    .option(
      "--policy <file>",
      "settings in force (preset, alpha, ...) and rules, to be stored with the samples",
    )
    .option(
      "--block <seconds>",
      "write at least so often: what a killed recorder loses",
      RECORD_DEFAULTS.block,
    )
    .option("--file-size <MiB>", "begin a new file at this size", RECORD_DEFAULTS.fileSize)
    .option("--file-age <hours>", "begin a new file at this age", RECORD_DEFAULTS.fileAge)
    .option("--total <MiB>", "most for all files of a host: the oldest is removed", RECORD_DEFAULTS.total)
    .addOption(
      new Option("--sync <when>", "bring files to the disk (fdatasync) at each block, or when one is closed")
        .choices(["block", "close"])
        .default("block"),
    )
    .option("--seconds <n>", "stop after that time")
    .option("--json", "print one JSON line at the end")
    .action(finish(record));
  program
    .command("replay")
    .description("what a policy would have decided on recorded samples: lists, moves, flaps, delays, shares")
    .argument("<file...>", "recordings, or directories of them")
    .option("--policy <file>", "settings and rules to decide by; by default as recorded")
    .option("--compare <file>", "decide by these as well, side by side")
    .addOption(
      new Option("--preset <name>", "as recorded, under this preset")
        .choices(["default", "paper"])
        .conflicts("policy"),
    )
    .option("--from <time>", "tell from then on: a date (UTC), or a length from the beginning (90m, 2h)")
    .option("--to <time>", "until then")
    .option("--plans", "print every plan that differs from the one before")
    .option("--quiet", "only the figures at the end")
    .option("--json", "print JSON lines")
    .action((files: string[], flags: Parameters<typeof replayCommand>[1]) =>
      finish(() => replayCommand(files, flags))(flags),
    );
}
