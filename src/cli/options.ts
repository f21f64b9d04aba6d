import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';

import { callStatuses, type Json, type Metadata } from '../call/call';
import { callEventTypes } from '../call/event';
import type { CallFilter, CallStatus } from '../client';

/** A command that talks to the service. */
export function apiCommand(name: string) {
  return new Command(name)
    .addOption(new Option('--url <url>', 'where the service is (default: CALLS_URL, else http://127.0.0.1:3000)'))
    .addOption(new Option('--json', 'for programs: JSON, one value a line'));
}

export function wholeNumber(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** `30s`, `15m`, `2h`, `7d`, or seconds. @returns seconds */
export function duration(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)([smhd])?$/.exec(text) ?? [];
  const seconds = Number(amount) * { s: 1, m: 60, h: 3_600, d: 86_400 }[unit as 's' | 'm' | 'h' | 'd'];
  if (amount === undefined || seconds <= 0)
    throw new InvalidArgumentError('It must be a time such as 30s, 15m, 2h or 7d.');
  return seconds;
}

/** A time, or so long ago. @returns ISO 8601 */
export function moment(text: string): string {
  if (/^\d+(\.\d+)?[smhd]$/.test(text)) return new Date(Date.now() - duration(text) * 1_000).toISOString();
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) {
    throw new InvalidArgumentError('It must be a time such as 2030-01-31T12:00:00Z, or so long ago, such as 2h.');
  }
  return at.toISOString();
}

/** Several of them, separated by commas, in capitals or not. */
function someOf<Word extends string>(words: readonly Word[]) {
  return (text: string): Word[] =>
    text.split(',').map((given) => {
      const word = words.find((one) => one.toLowerCase() === given.trim().toLowerCase());
      if (word) return word;
      throw new InvalidArgumentError(`It must be among ${words.join(', ')}, several separated by commas.`);
    });
}

/** `name=value`, given any number of times. */
export function metadataPair(text: string, before: Record<string, string> | undefined): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be name=value.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

export function metadataJson(text: string): Metadata {
  try {
    const value = JSON.parse(text) as Json;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Told below, as any other text that is no object.
  }
  throw new InvalidArgumentError('It must be a JSON object.');
}

export function statusOption() {
  return new Option('--status <status>', 'in this status, several separated by commas')
    .choices(callStatuses)
    .argParser(someOf(callStatuses));
}

export function eventTypeOption() {
  return new Option('--type <type>', 'of this type, several separated by commas')
    .choices(callEventTypes)
    .argParser(someOf(callEventTypes));
}

/** A command about some of the calls. */
export function filterCommand(name: string) {
  return apiCommand(name)
    .addOption(statusOption())
    .option('--to <number>', 'to this number')
    .option('-s, --script <id>', 'with this script')
    .option('--since <time>', 'accepted at this time or later; or so long ago, such as 2h', moment)
    .option('--until <time>', 'accepted before this time', moment)
    .option('-m, --metadata <name=value>', 'whose metadata has this; several: all of them', metadataPair);
}

interface FilterOptions {
  status?: CallStatus[];
  to?: string;
  script?: string;
  since?: string;
  until?: string;
  metadata?: Record<string, string>;
}

export function filterOf({ status, to, script, since, until, metadata }: FilterOptions): CallFilter {
  return { status, to, scriptId: script, createdAfter: since, createdBefore: until, metadata };
}
