import { setTimeout as pause } from 'node:timers/promises';

import { backoffSeconds } from '../call/backoff';
import { openSession, type Session } from './session';

/** Work that is found in the database and that one process at a time does. */
export interface Leadership {
  /** Of PostgreSQL. */
  url: string;
  /** Shown by PostgreSQL as the connection's. */
  name: string;
  /** Whoever holds `leads` leads; it holds `sleeps` while it sleeps: whoever writes work then notifies on the channel. */
  locks: { leads: number; sleeps: number };
  channel: string;
  /** Does what is to be done now, over the session that holds the lead. @returns how much that was */
  look: (session: Session) => Promise<number>;
  /** As much in one look says that there may be more. */
  fullLook: number;
  /** Told of each failure, the first of a row as number 1; the lead is given up with it, and sought again. */
  onFailure: (error: unknown, failures: number) => void;
  /** Told once it works again. */
  onRecovery: (failures: number) => void;
  /** Told when it begins to lead. */
  onLead?: () => void;
  /** Seconds after which a leader that stands still has lost the lead. */
  givenUpAfterSeconds?: number | undefined;
}

export interface Leader {
  /** Ends after the look in hand. */
  close: () => Promise<void>;
}

/** From one look to the next while there is work, which gathers meanwhile; a look that lasts longer was rest enough. */
const lookEveryMilliseconds = 60;
/** So many looks in a row that find nothing, and it sleeps until it is woken. */
const emptyLooksBeforeSleep = 3;
/** A sleeper looks all the same, should a notice ever be missed. */
const longestSleepSeconds = 5;
const standBySeconds = 1;
const patience = { initialSeconds: 0.25, backoff: 2, maxSeconds: 10 };

/**
 * Any number may run: one leads, by a lock that lasts as long as its connection, so what it does over that very
 * connection it does only while it leads. The others stand by.
 *
 * While there is work it looks again and again. With nothing to do it takes a second lock and sleeps: a transaction that
 * writes work and finds that lock taken notifies. So nobody polls when all is quiet, and nobody pays for NOTIFY, which
 * makes commits queue up behind each other, when much is going on.
 */
export function startLeader(leadership: Leadership): Leader {
  const stopping = new AbortController();
  const running = run(leadership, stopping.signal);
  return {
    close: async () => {
      stopping.abort();
      await running;
    },
  };
}

async function run(leadership: Leadership, stop: AbortSignal): Promise<void> {
  let failures = 0;
  while (!stop.aborted) {
    try {
      await runSession(leadership, stop, () => {
        if (failures > 0) leadership.onRecovery(failures);
        failures = 0;
      });
    } catch (error) {
      failures++;
      leadership.onFailure(error, failures);
      const seconds = Math.min(backoffSeconds(patience, failures), patience.maxSeconds);
      await pauseUnless(stop, seconds * 1_000);
    }
  }
}

/** Stands by, then leads, until told to stop. @throws where a look fails, or PostgreSQL: the lead is given up then */
async function runSession(leadership: Leadership, stop: AbortSignal, works: () => void): Promise<void> {
  const session = await openSession(leadership.url, leadership.name, leadership.givenUpAfterSeconds);
  try {
    let leads = false;
    while (!stop.aborted && !leads) {
      leads = await session.tryLock(leadership.locks.leads);
      if (!leads) await pauseUnless(stop, standBySeconds * 1_000);
    }
    if (leads) await lead(leadership, session, stop, works);
  } finally {
    await session.close();
  }
}

async function lead(leadership: Leadership, session: Session, stop: AbortSignal, works: () => void): Promise<void> {
  const { channel, locks, look, fullLook } = leadership;
  leadership.onLead?.();
  let asleep = new AbortController();
  await session.listen(channel, () => asleep.abort());
  for (let emptyLooks = 0; !stop.aborted;) {
    const nextLookAt = performance.now() + lookEveryMilliseconds;
    const done = await look(session);
    works();
    emptyLooks = done > 0 ? 0 : emptyLooks + 1;
    if (emptyLooks < emptyLooksBeforeSleep || !(await session.tryLock(locks.sleeps))) {
      const rest = nextLookAt - performance.now();
      if (done < fullLook && rest > 0) await pauseUnless(stop, rest);
      continue;
    }
    asleep = new AbortController();
    // What was written before the lock was taken notifies nobody: one more look before the eyes close.
    if ((await look(session)) === 0) {
      await pauseUnless(AbortSignal.any([stop, session.ended, asleep.signal]), longestSleepSeconds * 1_000);
    }
    await session.unlock(locks.sleeps);
    emptyLooks = asleep.signal.aborted ? 0 : emptyLooksBeforeSleep;
  }
}

async function pauseUnless(signal: AbortSignal, milliseconds: number): Promise<void> {
  await pause(milliseconds, undefined, { signal }).catch(() => undefined);
}
