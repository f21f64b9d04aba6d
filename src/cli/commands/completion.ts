import { Argument, Command, type CommandUnknownOpts } from '@commander-js/extra-typings';

import { completeWords, files } from '../complete-words';
import type { Session } from '../session';

/** `calls completion`: a script for the shell, which asks `calls complete` for what may come next. */
export function completionCommand({ terminal }: Session) {
  return new Command('completion')
    .summary('complete commands in your shell')
    .description('Prints a script by which your shell completes calls when you press Tab.')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish'] as const))
    .addHelpText('after', examples)
    .action((shell) => terminal.print(scripts[shell]));
}

/** `calls complete -- <words>`, for those scripts: a suggestion a line, a tab before its description. */
export function completeCommand({ terminal }: Session, program: CommandUnknownOpts) {
  return new Command('complete').argument('[words...]').action(async (words) => {
    const suggestions = completeWords(program, words);
    if (suggestions === files) await terminal.print(`:${files}`);
    else for (const { word, description } of suggestions) await terminal.print(`${word}\t${description}`);
  });
}

const examples = `
Examples:
  echo 'source <(calls completion bash)' >> ~/.bashrc
  echo 'source <(calls completion zsh)' >> ~/.zshrc
  calls completion fish > ~/.config/fish/completions/calls.fish`;

/** The words are handed on as words: none of them may evaluate what is being typed. */
const scripts = {
  bash: `_calls() {
  local IFS=$'\n'
  COMPREPLY=($(calls complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1))
  if [[ \${COMPREPLY[0]} == :${files} ]]; then
    COMPREPLY=()
    compopt -o default
  fi
}
complete -F _calls calls`,
  zsh: `#compdef calls
_calls() {
  local -a lines
  lines=("\${(@f)$(calls complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $lines[1] == :${files} ]]; then
    _files
  else
    lines=("\${(@)lines//:/\\:}")
    lines=("\${(@)lines/$'\t'/:}")
    _describe calls lines
  fi
}
compdef _calls calls`,
  fish: `function __calls_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l lines (calls complete -- $words[2..-1] 2>/dev/null)
  if test "$lines[1]" = ":${files}"
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $lines
  end
end
complete -c calls -f -a '(__calls_complete)'`,
} as const;
