import { Histogram } from 'prom-client';

import type { CallEvent, CallRejectedEvent } from '../call/event';
import { topics } from '../call/names';
import type { Config } from '../config';
import { topicKeyOf, type KeySettings } from '../encryption/topic-key';
import type { Logger } from '../log';
import { registry, secondsSince, waitBuckets } from '../metrics';
import { clearOutbox, eventNotices, readOutbox } from '../store/call-events';
import { startLeader } from '../store/leader';
import { sessionLocks, type Session } from '../store/session';
import { beginInCall, SpanKind } from '../tracing';
import type { Broker, OutgoingMessage, Producer } from './broker';

export interface RelayDeps {
  config: Pick<Config, 'DATABASE_URL'> & KeySettings;
  broker: Broker;
  log: Logger;
  /** Another name than the contract's: for tests that share brokers. */
  topic?: string;
  /** Seconds after which a leader that stands still has lost the lead. */
  givenUpAfterSeconds?: number;
}

export interface Relay {
  /** Ends after the batch in hand. */
  close: () => Promise<void>;
}

const eventsPerBatch = 500;

const lagSeconds = new Histogram({
  name: 'orchestrator_relay_lag_seconds',
  help: 'From when something happened until its event was on Kafka',
  buckets: waitBuckets,
  registers: [registry],
});

/**
 * Carries what happened from the outbox to `calls.events`, in order for one call, at least once. Any number may run: one
 * leads (store/leader.ts), and reads and clears it over the very connection that holds the lead, so it cannot take a step
 * after having lost it.
 */
export function startRelay(deps: RelayDeps): Relay {
  const { config, broker, log } = deps;
  const producer = broker.producer();
  const leader = startLeader({
    url: config.DATABASE_URL,
    name: 'call-orchestrator relay',
    locks: { leads: sessionLocks.relay, sleeps: sessionLocks.relaySleeps },
    channel: eventNotices,
    look: (session) => relayBatch(deps, session, producer),
    fullLook: eventsPerBatch,
    onLead: () => log.debug('relay: leads'),
    // Once an outage: events are safe in the outbox however long it takes.
    onFailure: (error, failures) =>
      log[failures === 1 ? 'error' : 'debug'](
        { err: error },
        'relay: events cannot leave; they wait in the outbox, trying again until they can',
      ),
    onRecovery: (failures) => log.info({ failures }, 'relay: goes on'),
    givenUpAfterSeconds: deps.givenUpAfterSeconds,
  });
  return {
    close: async () => {
      await leader.close();
      await producer.close();
    },
  };
}

/** @returns how many events left */
async function relayBatch({ topic, config }: RelayDeps, session: Session, producer: Producer): Promise<number> {
  const entries = await readOutbox(session.db, eventsPerBatch);
  if (entries.length === 0) return 0;
  const topicKey = topicKeyOf(config);
  const sendings = entries.map(({ event }) => ({ event, span: beginSending(event) }));
  try {
    await producer.send(
      topic ?? topics.events,
      sendings.map(({ event, span }) => messageOf(event, topicKey, span.headers)),
    );
  } finally {
    for (const { span } of sendings) span.end();
  }
  for (const { event } of entries) lagSeconds.observe(secondsSince(Date.parse(event.at)));
  session.ended.throwIfAborted();
  await clearOutbox(
    session.db,
    entries.map(({ id }) => id),
  );
  return entries.length;
}

function beginSending(event: CallEvent | CallRejectedEvent) {
  return beginInCall(event.callId, 'send event', {
    kind: SpanKind.PRODUCER,
    attributes: { 'event.type': event.type, 'event.sequence': event.sequence },
  });
}

function messageOf(
  event: CallEvent | CallRejectedEvent,
  topicKey: ReturnType<typeof topicKeyOf>,
  traceHeaders: Record<string, string>,
): OutgoingMessage {
  return {
    // Of a message that was rejected its own id, which its sender chose.
    key: event.type === 'call.rejected' ? topicKey(event.requestId ?? event.eventId) : event.callId,
    value: JSON.stringify(event),
    headers: { 'event.id': event.eventId, 'event.type': event.type, ...traceHeaders },
  };
}
