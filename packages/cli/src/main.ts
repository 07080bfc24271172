/**
 * The `kvmgov` command: reads arguments, runs one command, sets the exit code. What runs services or a demo is loaded when it is
 * asked for: `kvmgov restore` is needed when a host has no CPU to spare, and takes half the time without it.
 */
import { readFileSync } from "node:fs";
import { Argument, Command, Option } from "commander";
import type { CredentialsFlags } from "./commands/credentials.ts";
import type { ReleaseFlags } from "./commands/release.ts";
import { CREDENTIALS_ACTIONS, type CredentialsAction } from "./credentials/actions.ts";
import { late } from "./late.ts";
import { addOperatorCommands } from "./operator-commands.ts";
import { surviveLostOutput } from "./output.ts";
import { DEFAULT_PREFIX } from "./release/layout.ts";

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** All commands, with their options: also what the man page and the completion scripts are made from. */
export const program = new Command("kvmgov")
  .description("Tells scientific KVM guests from services and gives each the CPU it needs")
  .version(version)
  .showHelpAfterError("(kvmgov --help lists commands and options)");

const preset = new Option("--preset <name>", "how guests are held").choices(["default", "paper"]);

program
  .command("up")
  .description("measure, classify and hold the guests of this host until Ctrl-C; then take everything back")
  .addOption(preset)
  .option("--period <ms>", "check period T_check in milliseconds")
  .option("--alpha <part>", "threshold of CPU usage, as part of a guest's vCPUs")
  .option("--beta <count>", "more than this many crossings of alpha move a guest")
  .option("--policy <file>", "rules that declare classes and SLAs of guests")
  .option("--dry-run", "show what would be written, write nothing")
  .option("--json", "print events as JSON lines")
  .action(finish(late(async () => (await import("./commands/up.ts")).up)));

program
  .command("restore")
  .description("put guests back to what they were before, without any server")
  .option("--guest <name or UUID>", "this guest only")
  .option("--state-dir <dir>", "where the baselines are kept")
  .option("--json", "print the report as one JSON line")
  .action(finish(late(async () => (await import("./commands/restore.ts")).restoreCommand)));

program
  .command("resume")
  .description("let the manager go on with guests that `kvmgov restore` took back while it ran")
  .option("--guest <name or UUID>", "this guest only")
  .option("--state-dir <dir>", "where the baselines are kept")
  .option("--json", "print one JSON line")
  .action(finish(late(async () => (await import("./commands/resume.ts")).resumeCommand)));

program
  .command("audit")
  .description("what was written to the kernel, when, by which plan and why")
  .option("--guest <name or UUID>", "this guest only")
  .option("--since <time>", "from then on: 15m, 2h, 7d ago, or a date")
  .option("--json", "print the records as JSON lines")
  .option("--state-dir <dir>", "where the audit is kept")
  .action(finish(late(async () => (await import("./commands/audit.ts")).auditCommand)));

program
  .command("demo")
  .description("the paper's experiment in small, on real KVM guests made for it")
  .addOption(preset)
  .option("--seconds <n>", "length of each of the two runs")
  .option("--seed <n>", "seed of the random load")
  .option("--watch", "only the governed part, again and again until Ctrl-C: time to look at the console")
  .option("--json", "print one JSON line at the end instead of a live table")
  .action(finish(late(async () => (await import("./commands/demo.ts")).demo)));

program
  .command("credentials")
  .description("users of NATS: one for each host, with rights on that host's subjects alone")
  .addArgument(new Argument("<action>", "what to do").choices(CREDENTIALS_ACTIONS))
  .argument("[host]", "id of the host")
  .option("--dir <dir>", "where the book and the server's file are kept", "/etc/kvm-governor/nats")
  .option("--output <file>", "write the host's settings there, not to the terminal")
  .option("--json", "print one JSON line")
  .action((action: CredentialsAction, host: string | undefined, flags: CredentialsFlags) =>
    finish(async () => (await import("./commands/credentials.ts")).credentialsCommand(action, host, flags))(
      flags,
    ),
  );

const placed = (name: string, description: string): Command =>
  program
    .command(name)
    .description(description)
    .option("--prefix <dir>", "where releases are kept", DEFAULT_PREFIX)
    .option("--root <dir>", "install below this directory, for package builders")
    .option("--json", "print the report as one JSON line");

placed("install", "put this release in place and point to it; enables and starts nothing").action(
  finish(late(async () => (await import("./commands/release.ts")).installCommand)),
);
placed("use", "switch to another release that is in place, such as the one before")
  .argument("<version>", "version of the release")
  .action((version: string, flags: ReleaseFlags) =>
    finish(async () => (await import("./commands/release.ts")).useCommand(version, flags))(flags),
  );
placed("uninstall", "put guests back and remove every release; configuration and state stay")
  .option("--purge", "remove configuration and state as well")
  .action(finish(late(async () => (await import("./commands/release.ts")).uninstallCommand)));

program
  .command("simulate")
  .description("hosts that are not there, on a real NATS: load for the classifiers")
  .option("--hosts <n>", "how many hosts", "10")
  .option("--guests <n>", "guests of each", "50")
  .option("--vcpus <n>", "vCPUs of each guest", "4")
  .option("--cpus <n>", "CPUs of each host", "64")
  .option("--seed <n>", "seed of hosts, guests and their load", "1")
  .option("--seconds <n>", "how long; without it until Ctrl-C")
  .option("--t-check <ms>", "check period T_check in milliseconds", "1000")
  .addOption(
    new Option("--load <kind>", "synthetic, or recorded: the traces in the directory KVMGOV_TRACES_DIR")
      .choices(["synthetic", "traces"])
      .default("synthetic"),
  )
  .option("--speed <n>", "how much faster than real time the load goes by", "1")
  .option("--json", "print one JSON line at the end")
  .action(finish(late(async () => (await import("./commands/simulate.ts")).simulate)));

addOperatorCommands(program, finish);

/** A command returns the exit code; what it throws becomes one line on standard error and exit code 1. */
function finish<Flags>(command: (flags: Flags) => Promise<number>): (flags: Flags) => Promise<void> {
  return async (flags) => {
    try {
      process.exitCode = await command(flags);
    } catch (error) {
      process.stderr.write(`kvmgov: ${(error as Error).message}\n`);
      process.exitCode = 1;
    }
  };
}

// Who only reads the commands must not run one.
if (import.meta.main) {
  surviveLostOutput();
  await program.parseAsync();
}
