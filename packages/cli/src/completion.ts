/** Scripts that make shells complete `lydian`: from the same data that the parser is built from. Pure. */
import type { Option } from "commander";

import type { CliCommand, CommandGroup } from "./command.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** What can follow `lydian` and these words. */
interface Place {
  /** Such as `call list`; empty for `lydian` itself. */
  readonly path: string;
  readonly commands: readonly { name: string; summary: string }[];
  readonly options: readonly Option[];
}

export function completionScript(shell: Shell, commands: readonly (CliCommand | CommandGroup)[]): string {
  const places = placesOf(commands);
  switch (shell) {
    case "bash":
      return bash(places);
    case "zsh":
      // Its own emulation: the same table, with the same words.
      return `#compdef lydian\nautoload -Uz bashcompinit && bashcompinit\n${bash(places)}`;
    case "fish":
      return fish(places);
  }
}

function placesOf(commands: readonly (CliCommand | CommandGroup)[]): Place[] {
  const places: Place[] = [{ path: "", commands, options: [] }];
  for (const entry of commands) {
    if (!("commands" in entry)) {
      places.push({ path: entry.name, commands: [], options: entry.options });
      continue;
    }
    places.push({ path: entry.name, commands: entry.commands, options: [] });
    for (const { name, options } of entry.commands)
      places.push({ path: `${entry.name} ${name}`, commands: [], options });
  }
  return places;
}

const flagsOf = (option: Option): string[] => [option.short, option.long].filter((flag) => flag !== undefined);

const isFile = ({ flags }: Option): boolean => /<(?:file|folder)>/.test(flags);

function bash(places: readonly Place[]): string {
  const words = places.map(({ path, commands, options }) => {
    const all = [...commands.map(({ name }) => name), ...options.flatMap(flagsOf), "--help"];
    return `    ${quoted(path)}) words=${quoted(all.join(" "))} ;;`;
  });
  const values = places.flatMap(({ path, options }) =>
    options.flatMap((option) => {
      const flags = flagsOf(option).map((flag) => quoted(`${path} ${flag}`));
      if (option.argChoices !== undefined)
        return [`    ${flags.join("|")}) words=${quoted(option.argChoices.join(" "))}; value=1 ;;`];
      return option.required ? [`    ${flags.join("|")}) value=1 ;;`] : [];
    }),
  );
  const groups = places.filter(({ path, commands }) => path !== "" && commands.length > 0).map(({ path }) => path);
  return `# lydian: completion of commands and options.
_lydian() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" path="" words="" value=""
  if [ "$COMP_CWORD" -gt 1 ]; then
    path="\${COMP_WORDS[1]}"
    case " ${groups.join(" ")} " in
      *" $path "*) [ "$COMP_CWORD" -gt 2 ] && path="$path \${COMP_WORDS[2]}" ;;
    esac
  fi
  case "$path $before" in
${values.join("\n")}
  esac
  if [ -z "$value" ]; then
    case "$path" in
${words.join("\n")}
    esac
    # Files are named by operands and options alike.
    case "$word" in -*) ;; *) [ -n "$path" ] && COMPREPLY=($(compgen -f -- "$word")) ;; esac
  elif [ -z "$words" ]; then
    COMPREPLY=($(compgen -f -- "$word"))
    return
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word") "\${COMPREPLY[@]}")
}
complete -F _lydian lydian
`;
}

function fish(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, options }) => {
    const seen = path === "" ? "__fish_use_subcommand" : `__lydian_at ${path}`;
    const own = commands.map(
      ({ name, summary }) => `complete -c lydian -n ${quoted(seen)} -f -a ${name} -d ${quoted(summary)}`,
    );
    const flags = options.map((option) => {
      const { short, long, description, argChoices, required } = option;
      const parts = [
        ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
        ...(long === undefined ? [] : [`-l ${long.slice(2)}`]),
        ...(required ? ["-r"] : []),
        ...(argChoices === undefined
          ? isFile(option) || !required
            ? []
            : ["-f"]
          : [`-f -a ${quoted(argChoices.join(" "))}`]),
      ];
      return `complete -c lydian -n ${quoted(seen)} ${parts.join(" ")} -d ${quoted(description)}`;
    });
    return [...own, ...flags];
  });
  return `# lydian: completion of commands and options.
function __lydian_at
    set -l words (commandline -opc)
    set -e words[1]
    test (count $words) -ge (count $argv); and test "$words[1..(count $argv)]" = "$argv"
end
${lines.join("\n")}
`;
}

/** For all three shells: nothing inside means anything to them. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
