import type { CommandUnknownOpts, Option } from '@commander-js/extra-typings';

export interface Suggestion {
  word: string;
  description: string;
}

/** Names of files are asked for: shells complete those better than we could. */
export const files = 'files';

/**
 * What may come next on a command line, read off the commands themselves, so that nothing can be forgotten.
 *
 * @param words after `calls`; the last is the one being typed, empty where none has been begun
 */
export function completeWords(program: CommandUnknownOpts, words: readonly string[]): Suggestion[] | typeof files {
  const current = words.at(-1) ?? '';
  const { command, operands, option } = readUpTo(program, words.slice(0, -1));
  if (option) return beginningWith(current, choicesOf(option.argChoices));
  const [, name = '', equals] = /^(-[\w-]*)(=)?/.exec(current) ?? [];
  if (equals) return beginningWith(current, valuesAfter(name, command));
  if (name !== '') return beginningWith(current, optionsOf(command));
  const argument = command.registeredArguments[operands] ?? command.registeredArguments.findLast((one) => one.variadic);
  if (argument?.name() === 'file') return files;
  return beginningWith(current, [...(operands === 0 ? commandsOf(command) : []), ...choicesOf(argument?.argChoices)]);
}

/** Which command those words name, how many arguments it has been given, and the option that still wants its value. */
function readUpTo(program: CommandUnknownOpts, words: readonly string[]) {
  let command = program;
  let operands = 0;
  let option: Option | undefined;
  for (const word of words) {
    // bash takes `--status=FAILED` apart at its equals sign.
    if (word === '=') continue;
    if (option) option = undefined;
    else if (word.startsWith('-'))
      option = command.options.find((one) => isNamed(one, word) && (one.required || one.optional));
    else {
      const inner = operands === 0 ? command.commands.find((one) => one.name() === word) : undefined;
      if (inner) command = inner;
      else operands++;
    }
  }
  return { command, operands, option };
}

const isNamed = ({ short, long }: Option, word: string) => word === short || word === long;

function commandsOf(command: CommandUnknownOpts): Suggestion[] {
  const visible = command.createHelp().visibleCommands(command);
  return visible.map((one) => ({ word: one.name(), description: one.summary() || one.description() }));
}

function optionsOf(command: CommandUnknownOpts): Suggestion[] {
  const visible = command.createHelp().visibleOptions(command);
  return visible.flatMap(({ long, description }) => (long ? [{ word: long, description }] : []));
}

/** Of `--status=FAILED`, typed as one word. */
function valuesAfter(name: string, command: CommandUnknownOpts): Suggestion[] {
  const choices = choicesOf(command.options.find((one) => isNamed(one, name))?.argChoices);
  return choices.map(({ word, description }) => ({ word: `${name}=${word}`, description }));
}

function choicesOf(choices: readonly string[] | undefined): Suggestion[] {
  return (choices ?? []).map((word) => ({ word, description: '' }));
}

function beginningWith(current: string, suggestions: Suggestion[]): Suggestion[] {
  const begun = current === '=' ? '' : current;
  return suggestions.filter(({ word }) => word.startsWith(begun));
}
