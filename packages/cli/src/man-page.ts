/** The man page, from what commander knows of the commands (man(7)). */
import type { Command, Option } from "commander";

const ENVIRONMENT = {
  KVMGOV_CLASSIFIER_URL:
    "address of the classifier that lists, explain, plan, top and doctor ask, with USER:PASSWORD@ where its pages ask for one",
  KVMGOV_NATS_URL:
    "NATS server to use; kvmgov up starts one where it is not set. Also KVMGOV_NATS_USER, KVMGOV_NATS_PASSWORD and KVMGOV_NATS_TLS, a map such as { caFile: FILE }",
  KVMGOV_REDIS_URL:
    "Redis server to use; kvmgov up starts one where it is not set. Also KVMGOV_REDIS_PASSWORD",
  KVMGOV_CONFIG: "YAML file with the configuration of the services (docs/configuration.md)",
  KVMGOV_STATE_DIR:
    "where baselines are kept; without it as /etc/kvm-governor/actuator.yaml says, else /var/lib/kvm-governor",
  KVMGOV_LIBVIRT_RUN_DIR: "libvirt's status files, /run/libvirt/qemu by default",
};

const EXAMPLES = {
  "kvmgov up": "govern the guests of this host until Ctrl-C",
  "kvmgov up --dry-run": "show what would be written, and write nothing",
  "kvmgov explain web-3": "why guest web-3 is in its list, and what was written for it",
  "kvmgov top --sort switches": "live table, most context switches first",
  "kvmgov doctor": "what this host lacks",
  "kvmgov record --seconds 3600": "store an hour of this host's samples",
  "kvmgov replay FILE --compare new.yaml":
    "what was decided on them, and what the settings in new.yaml would have decided",
  "kvmgov restore": "everything as it was, without any server",
};

/** @returns troff source; the same for the same commands */
export function manPage(program: Command): string {
  const name = program.name();
  return [
    `.\\" Made from the commands by test/docs/man.ts: do not edit.`,
    `.TH ${name.toUpperCase()} 1 "" "kvm-governor ${program.version()}" "User Commands"`,
    ".SH NAME",
    `${name} \\- ${lowerFirst(escaped(program.description()))}`,
    ".SH SYNOPSIS",
    `.B ${name}`,
    "command [options]",
    ".SH COMMANDS",
    ...program.commands.flatMap((command) => commandSection(name, command)),
    ".SH ENVIRONMENT",
    ...entries(ENVIRONMENT),
    ".SH EXIT STATUS",
    "0 where all went well; 1 where something failed, a guest could not be put back, or a check of doctor fails. The reason is on standard error.",
    ".SH EXAMPLES",
    ...entries(EXAMPLES),
    "",
  ].join("\n");
}

function commandSection(name: string, command: Command): string[] {
  const args = command.registeredArguments.map((argument) => ` \\fI${escaped(argument.name())}\\fR`).join("");
  const options = command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long !== "--help");
  return [
    `.SS "${name} ${command.name()}${args} [options]"`,
    guarded(escaped(upperFirst(command.description()))) + ".",
    ...command.registeredArguments.flatMap((argument) => [
      ".TP",
      `.I ${escaped(argument.name())}`,
      guarded(escaped(argument.description)) +
        (argument.argChoices === undefined ? "" : `: ${argument.argChoices.join(", ")}`),
    ]),
    ...options.flatMap((option) => [
      ".TP",
      `.B "${escaped(option.flags)}"`,
      guarded(escaped(optionText(option))),
    ]),
  ];
}

function optionText({ description, argChoices, defaultValue, envVar }: Option): string {
  const more = [
    argChoices === undefined ? undefined : `one of ${argChoices.join(", ")}`,
    defaultValue === undefined ? undefined : `default ${String(defaultValue)}`,
    envVar === undefined ? undefined : `environment ${envVar}`,
  ].filter((text) => text !== undefined);
  return more.length === 0 ? description : `${description} (${more.join("; ")})`;
}

const entries = (texts: Readonly<Record<string, string>>): string[] =>
  Object.entries(texts).flatMap(([term, text]) => [".TP", `.B "${escaped(term)}"`, guarded(escaped(text))]);

/** A hyphen that is typed must not become a typographic one. */
const escaped = (text: string): string =>
  text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll('"', "\\(dq");

/** A line that begins with a dot or a quote would be taken for a request. */
const guarded = (text: string): string => (/^[.']/.test(text) ? `\\&${text}` : text);

const upperFirst = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
