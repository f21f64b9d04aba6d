import type { Config } from '../config';
import { appendRejection, findRejectedSources } from '../store/call-events';
import type { Database } from '../store/database';
import { isDatabaseTrouble, refusesValues } from '../store/database-errors';
import { acceptCalls, type Acceptance } from './accept-call';
import type { RefusedMessage, RequestMessage } from './request-message';
import type { Starter } from './starter';

export interface AcceptMessagesDeps {
  db: Database;
  config: Pick<Config, 'MAX_ATTEMPTS' | 'DEFAULT_EXPIRY_SECONDS'>;
  starter: Pick<Starter, 'handOffSoon' | 'startsWithinSeconds'>;
}

/** After so many tries, an error that does not come from the database is blamed on the messages. */
const triesBeforeBlame = 5;

/**
 * Makes a call of each message, or tells in a `call.rejected` event why not. Safe twice: a message delivered again has
 * its call, or its rejection, already.
 *
 * @param attempt how often these messages have been tried before
 * @returns the messages that cannot even be decided on
 * @throws where the database is in trouble: nothing is wrong with the messages then
 */
export async function acceptMessages(
  deps: AcceptMessagesDeps,
  messages: readonly RequestMessage[],
  attempt: number,
): Promise<RefusedMessage[]> {
  // A message that was rejected stays so, though its number may be free by the time it is delivered again.
  const rejected = await findRejectedSources(
    deps.db,
    messages.map(({ place }) => place),
  );
  const open = messages.filter(({ place }) => !rejected.has(place));
  if (open.length === 0) return [];
  let answers: Acceptance[];
  try {
    answers = await acceptCalls(
      deps.db,
      deps.config,
      open.map(({ incoming }) => incoming),
      deps.starter.startsWithinSeconds,
    );
  } catch (error) {
    if (isDatabaseTrouble(error) || (!refusesValues(error) && attempt < triesBeforeBlame)) throw error;
    return acceptOneByOne(deps, open, attempt, error);
  }
  for (const [index, answer] of answers.entries()) {
    const message = open[index];
    if (message) await settle(deps, message, answer);
  }
  return [];
}

/** One of them is refused, and with it was the whole statement: each gets a statement of its own. */
async function acceptOneByOne(
  deps: AcceptMessagesDeps,
  messages: readonly RequestMessage[],
  attempt: number,
  error: unknown,
): Promise<RefusedMessage[]> {
  const [first] = messages;
  if (messages.length === 1 && first) {
    const reason = error instanceof Error ? error.message : String(error);
    return [{ message: first.message, code: 'INTERNAL_ERROR', reason: `the call could not be stored: ${reason}` }];
  }
  const refused: RefusedMessage[] = [];
  for (const message of messages) refused.push(...(await acceptMessages(deps, [message], attempt)));
  return refused;
}

async function settle(deps: AcceptMessagesDeps, message: RequestMessage, answer: Acceptance): Promise<void> {
  const { requestId, place } = message;
  const reject = (reason: string, activeCallId?: string) =>
    appendRejection(deps.db, place, {
      requestId,
      reason,
      ...(activeCallId !== undefined && { activeCallId }),
    });
  switch (answer.kind) {
    case 'ACCEPTED':
      deps.starter.handOffSoon(answer.row);
      return;
    case 'NUMBER_BUSY':
      return reject('NUMBER_BUSY', answer.activeCallId);
    case 'KEY_REUSED':
      return reject('IDEMPOTENCY_KEY_REUSED');
    case 'REPLAYED':
      // The very message again has its call: nothing new happened.
      return answer.sameSource ? undefined : reject('DUPLICATE_REQUEST', answer.call.id);
  }
}
