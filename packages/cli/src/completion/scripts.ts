/** Completion scripts for bash, zsh and fish, from what commander knows of the commands. */
import type { Command, Option } from "commander";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

export function completionScript(program: Command, shell: Shell): string {
  return { bash, zsh, fish }[shell](program);
}

interface Described {
  name: string;
  description: string;
  options: readonly Option[];
  /** Values of the first argument, where they are few and known. */
  choices: readonly string[];
}

function commandsOf(program: Command): Described[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: command.createHelp().visibleOptions(command),
    choices: command.registeredArguments[0]?.argChoices ?? [],
  }));
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Options whose value is the name of a file or directory. */
const wantsPath = ({ flags }: Option): boolean => /<(file|dir)>/.test(flags);

const wantsValue = (option: Option): boolean => option.required || option.optional;

const flagOf = ({ long, short }: Option): string => long ?? short ?? "";

function bash(program: Command): string {
  const name = program.name();
  const commands = commandsOf(program);
  const words = commands.map((each) => {
    const all = [...each.options.flatMap(({ long, short }) => [long, short]), ...each.choices];
    return `    ${each.name}) words=${quoted(all.filter((word) => word !== undefined).join(" "))} ;;`;
  });
  const options = commands.flatMap((each) => each.options);
  const unique = (list: readonly Option[]): string => [...new Set(list.map(flagOf))].join("|");
  const valued = options.filter(
    (option) => wantsValue(option) && !wantsPath(option) && option.argChoices === undefined,
  );
  const chosen = [...new Map(options.map((option) => [flagOf(option), option.argChoices])).entries()];
  return `# bash completion of ${name}: source <(${name} completion bash)
_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  COMPREPLY=()
  case "$previous" in
${chosen.flatMap(([flag, choices]) => (choices === undefined ? [] : [`    ${flag}) COMPREPLY=($(compgen -W ${quoted(choices.join(" "))} -- "$current")); return ;;`])).join("\n")}
    ${unique(options.filter(wantsPath))}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    ${unique(valued)}) return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words=${quoted([...commands.map((each) => each.name), "help", "--help", "--version"].join(" "))}
  else case "\${COMP_WORDS[1]}" in
${words.join("\n")}
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o filenames -F _${name} ${name}
`;
}

/** In a specification of _arguments, brackets and colons have a meaning. */
const zshText = (text: string): string => text.replaceAll(/[[\]:\\]/g, String.raw`\$&`);

function zsh(program: Command): string {
  const name = program.name();
  const commands = commandsOf(program);
  const cases = commands.map(({ name: command, options, choices }) => {
    const specs = options.map((option) => {
      const values =
        option.argChoices === undefined
          ? wantsPath(option)
            ? "_files"
            : " "
          : `(${option.argChoices.join(" ")})`;
      const value = wantsValue(option) ? `:value:${values}` : "";
      return quoted(`${flagOf(option)}[${zshText(option.description)}]${value}`);
    });
    if (choices.length > 0) specs.push(quoted(`1:value:(${choices.join(" ")})`));
    return `    ${command}) _arguments ${specs.join(" \\\n      ")} ;;`;
  });
  return `#compdef ${name}
# zsh completion of ${name}: ${name} completion zsh > "\${fpath[1]}/_${name}"
_${name}() {
  local -a commands
  commands=(
${commands.map((each) => `    ${quoted(`${each.name}:${zshText(each.description)}`)}`).join("\n")}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  local command="$words[2]"
  shift words; (( CURRENT-- ))
  case "$command" in
${cases.join("\n")}
  esac
}
if [ "$funcstack[1]" = "_${name}" ]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function fish(program: Command): string {
  const name = program.name();
  const lines = commandsOf(program).flatMap(({ name: command, description, options, choices }) => {
    const inside = `-n ${quoted(`__fish_seen_subcommand_from ${command}`)}`;
    return [
      `complete -c ${name} -n __fish_use_subcommand -f -a ${command} -d ${quoted(description)}`,
      ...options.map((option) => {
        const long = option.long === undefined ? "" : ` -l ${option.long.slice(2)}`;
        const short = option.short === undefined ? "" : ` -s ${option.short.slice(1)}`;
        const values = option.argChoices === undefined ? "" : ` -a ${quoted(option.argChoices.join(" "))}`;
        const value = wantsValue(option) ? (wantsPath(option) ? " -r -F" : ` -x${values}`) : "";
        return `complete -c ${name} ${inside}${long}${short}${value} -d ${quoted(option.description)}`;
      }),
      ...(choices.length === 0 ? [] : [`complete -c ${name} ${inside} -f -a ${quoted(choices.join(" "))}`]),
    ];
  });
  return `# fish completion of ${name}: ${name} completion fish > ~/.config/fish/completions/${name}.fish\n${lines.join("\n")}\n`;
}
