import pino, { type Logger } from 'pino';

import { maskNumber } from './call/phone-number';

export type { Logger };

/**
 * The process's structured log: one JSON object a line on stdout, or readable lines where stdout is a terminal
 * (`LOG_PRETTY=1|0` decides where a supervisor stands in between). Every line about a call carries `callId`, and
 * `attempt` where there is one. Phone numbers are masked, also those in the words of others.
 *
 * @param role the process: api, worker, bridge, provider
 */
export function createLog(role: string, level: string): Logger {
  const pretty = process.env['LOG_PRETTY'] ? process.env['LOG_PRETTY'] === '1' : process.stdout.isTTY;
  const options = {
    level,
    base: { role },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: ['to', '*.to', 'secret', '*.secret'],
    hooks: { streamWrite: maskNumbersIn },
  };
  if (!pretty) return pino(options);
  return pino({
    ...options,
    transport: {
      target: 'pino-pretty',
      options: {
        colorize: true,
        translateTime: 'SYS:HH:MM:ss.l',
        ignore: 'pid,hostname,role',
        messageFormat: '{msg}',
        singleLine: true,
      },
    },
  });
}

/**
 * E.164 anywhere in a line, also as it stands in a URL; and a bare run of 9 to 15 digits where a word stands, which ids,
 * times and JSON's own numbers are not.
 */
const number = /(?:\+|%2B)[1-9]\d{6,14}(?!\d)|(?<=["\s(=])[1-9]\d{8,14}(?=[\s",.;:)\\])/gi;

/** A finished line of the log: the one place that everything goes through, errors of others with their stacks too. */
export function maskNumbersIn(line: string): string {
  return line.replaceAll(number, maskNumber);
}
