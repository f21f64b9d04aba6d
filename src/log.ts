import pino, { type Logger } from 'pino';

export type { Logger };

/**
 * The process's structured log: one JSON object a line on stdout, or readable lines where stdout is a terminal
 * (`LOG_PRETTY=1|0` decides where a supervisor stands in between). Every line about a call carries `callId`, and
 * `attempt` where there is one; phone numbers go through `maskNumber` first.
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
