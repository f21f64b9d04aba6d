import type { CallRequest } from '../../client';
import { apiCommand, duration, metadataJson, metadataPair, moment, wholeNumber } from '../options';
import { connect, type Session } from '../session';
import { reportEnd, showCall } from '../show-call';

/** `calls create` */
export function createCommand(session: Session) {
  return apiCommand('create')
    .summary('request a call')
    .description('Requests a call. It is made once, however often the request has to be sent.')
    .argument('<to>', 'whom to call, E.164, such as +966501234567')
    .requiredOption('-s, --script <id>', 'the script the provider speaks')
    .option('-m, --metadata <name=value>', 'handed to the provider; any number of times', metadataPair)
    .option('--metadata-json <object>', 'the same as a JSON object', metadataJson)
    .option('-p, --priority <1-5>', 'the lower, the sooner it is served', wholeNumber(1, 5))
    .option('--expires-at <time>', 'give it up if it has not ended well by then', moment)
    .option('--expires-in <time>', 'the same, from now: 30s, 15m, 2h, 7d', duration)
    .option('--webhook-url <url>', "where the call's events are sent")
    .option('-k, --key <key>', 'Idempotency-Key: the same key never makes two calls')
    .option('-w, --wait', 'wait until it has ended; exit code 1 unless it is COMPLETED')
    .option('--timeout <time>', 'with --wait: no longer than that; exit code 6', duration)
    .addHelpText('after', `\nExample:\n  calls create +966501234567 --script testScript --wait`)
    .action(async (to, options, command) => {
      if (options.expiresAt && options.expiresIn) command.error("error: give one of '--expires-at' and '--expires-in'");
      if (options.timeout && !options.wait) command.error("error: '--timeout' is for '--wait'");
      const client = connect(session, options);
      const { signal, terminal } = session;
      const call = await client.create(requestOf(to, options), { idempotencyKey: options.key, signal });
      if (options.wait) {
        terminal.note(`Call ${call.id} is accepted; waiting for its end.`);
        const ended = await client.waitUntilFinal(call.id, { timeoutSeconds: options.timeout, signal });
        session.exitCode = await reportEnd(terminal, ended, options.json);
      } else {
        await showCall(terminal, call, options.json);
      }
    });
}

interface Given {
  script: string;
  metadata?: Record<string, string>;
  metadataJson?: CallRequest['metadata'];
  priority?: number;
  expiresAt?: string;
  expiresIn?: number;
  webhookUrl?: string;
}

function requestOf(to: string, options: Given): CallRequest {
  const { script, metadata, metadataJson: object, priority, expiresIn, webhookUrl } = options;
  const expiresAt = expiresIn ? new Date(Date.now() + expiresIn * 1_000).toISOString() : options.expiresAt;
  return {
    to,
    scriptId: script,
    ...((metadata ?? object) && { metadata: { ...object, ...metadata } }),
    ...(priority !== undefined && { priority }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(webhookUrl !== undefined && { webhookUrl }),
  };
}
