import { setTimeout as pause } from 'node:timers/promises';

import { backoffSeconds } from '../call/backoff';
import type { CallEvent, CallRejectedEvent } from '../call/event';
import { topics } from '../call/names';
import type { Config } from '../config';
import { topicKeyOf, type KeySettings } from '../encryption/topic-key';
import type { Logger } from '../log';
import { eventNotices, markPublished, readOutbox } from '../store/call-events';
import { openSession, sessionLocks, type Session } from '../store/session';
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
/** Between looks while events come; they gather to batches meanwhile. */
const restMilliseconds = 15;
/** So many looks in a row that find nothing, and it sleeps until an event wakes it. */
const emptyLooksBeforeSleep = 10;
/** A sleeper looks all the same, should a notice ever be missed. */
const longestSleepSeconds = 5;
const standBySeconds = 1;
const patience = { initialSeconds: 0.25, backoff: 2, maxSeconds: 10 };

/**
 * Carries what happened from the outbox to `calls.events`, in order for one call, at least once. Any number may run: one
 * leads, by a lock that lasts as long as its connection, and reads and marks over that very connection, so it cannot
 * take a step after having lost the lead. The others stand by.
 *
 * While events come it looks again and again. With nothing to do it takes a second lock and sleeps: a transaction that
 * appends events and finds that lock taken notifies. So nobody polls when all is quiet, and nobody pays for NOTIFY,
 * which makes commits queue up behind each other, when much is going on.
 */
export function startRelay(deps: RelayDeps): Relay {
  const stopping = new AbortController();
  const producer = deps.broker.producer();
  const running = run(deps, producer, stopping.signal);
  return {
    close: async () => {
      stopping.abort();
      await running;
      await producer.close();
    },
  };
}

async function run(deps: RelayDeps, producer: Producer, stop: AbortSignal): Promise<void> {
  const { log } = deps;
  let failures = 0;
  while (!stop.aborted) {
    try {
      await runSession(deps, producer, stop, () => {
        if (failures > 0) log.info({ failures }, 'relay: goes on');
        failures = 0;
      });
    } catch (error) {
      // Once an outage: events are safe in the outbox however long it takes.
      const line = 'relay: events cannot leave; they wait in the outbox, trying again until they can';
      log[failures === 0 ? 'error' : 'debug']({ err: error }, line);
      failures++;
      const seconds = Math.min(backoffSeconds(patience, failures), patience.maxSeconds);
      await pauseUnless(stop, seconds * 1_000);
    }
  }
}

/** Stands by, then leads, until told to stop. @throws where PostgreSQL or Kafka fails: the lead is given up then */
async function runSession(deps: RelayDeps, producer: Producer, stop: AbortSignal, works: () => void): Promise<void> {
  const { config, givenUpAfterSeconds } = deps;
  const session = await openSession(config.DATABASE_URL, 'call-orchestrator relay', givenUpAfterSeconds);
  try {
    let leads = false;
    while (!stop.aborted && !leads) {
      leads = await session.tryLock(sessionLocks.relay);
      if (!leads) await pauseUnless(stop, standBySeconds * 1_000);
    }
    if (leads) await lead(deps, session, producer, stop, works);
  } finally {
    await session.close();
  }
}

async function lead(
  deps: RelayDeps,
  session: Session,
  producer: Producer,
  stop: AbortSignal,
  works: () => void,
): Promise<void> {
  deps.log.debug('relay: leads');
  let asleep = new AbortController();
  await session.listen(eventNotices, () => asleep.abort());
  for (let emptyLooks = 0; !stop.aborted;) {
    const sent = await relayBatch(deps, session, producer);
    works();
    emptyLooks = sent > 0 ? 0 : emptyLooks + 1;
    if (emptyLooks < emptyLooksBeforeSleep || !(await session.tryLock(sessionLocks.relaySleeps))) {
      if (sent < eventsPerBatch) await pauseUnless(stop, restMilliseconds);
      continue;
    }
    asleep = new AbortController();
    // What was appended before the lock was taken notifies nobody: one more look before the eyes close.
    if ((await relayBatch(deps, session, producer)) === 0) {
      await pauseUnless(AbortSignal.any([stop, session.ended, asleep.signal]), longestSleepSeconds * 1_000);
    }
    await session.unlock(sessionLocks.relaySleeps);
    emptyLooks = asleep.signal.aborted ? 0 : emptyLooksBeforeSleep;
  }
}

/** @returns how many events left */
async function relayBatch({ topic, config }: RelayDeps, session: Session, producer: Producer): Promise<number> {
  const entries = await readOutbox(session.db, eventsPerBatch);
  if (entries.length === 0) return 0;
  const topicKey = topicKeyOf(config);
  await producer.send(
    topic ?? topics.events,
    entries.map(({ event }) => messageOf(event, topicKey)),
  );
  session.ended.throwIfAborted();
  await markPublished(
    session.db,
    entries.map(({ id }) => id),
  );
  return entries.length;
}

function messageOf(event: CallEvent | CallRejectedEvent, topicKey: ReturnType<typeof topicKeyOf>): OutgoingMessage {
  return {
    // Of a message that was rejected its own id, which its sender chose.
    key: event.type === 'call.rejected' ? topicKey(event.requestId ?? event.eventId) : event.callId,
    value: JSON.stringify(event),
    headers: { 'event.id': event.eventId, 'event.type': event.type },
  };
}

async function pauseUnless(signal: AbortSignal, milliseconds: number): Promise<void> {
  await pause(milliseconds, undefined, { signal }).catch(() => undefined);
}
