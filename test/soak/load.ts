import { randomUUID } from 'node:crypto';

import { topics } from '../../src/call/names';
import type { Producer } from '../../src/events/broker';
import { countSlots } from '../../src/store/attempts';
import type { Stage } from '../faults/stage';
import type { Chance } from '../support/chance';

/** What was asked of the service, and what it answered: one side of the account. */
export interface Requested {
  /** Calls answered 201, each once. */
  accepted: Set<string>;
  /** POSTs whose answer was lost on the way: the call may have been made. */
  unanswered: number;
  /** Answers by status. */
  answers: Map<number, number>;
  /** Answers that a client should never see, with their request. */
  wrong: string[];
  /** Numbers requested over Kafka, each once, in a message that Kafka has. */
  byKafka: Set<string>;
  poison: number;
}

export const nothingRequested = (): Requested => ({
  accepted: new Set(),
  unanswered: 0,
  answers: new Map(),
  wrong: [],
  byKafka: new Set(),
  poison: 0,
});

/** 429 and 413 are not provoked here; a 500 is a defect at any time. */
const rightAnswers = [200, 201, 409, 503];
const mostWaiting = 40;

export interface LoadOptions {
  stage: Stage;
  producer: Producer;
  chance: Chance;
  requested: Requested;
  /** The soak has ended. */
  over: () => boolean;
  pause: (seconds: number) => Promise<void>;
}

/** Requests by HTTP, at about two a second, but for a pause where the queue has grown long. */
export async function loadByHttp({ stage, chance, requested, over, pause }: LoadOptions): Promise<void> {
  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const init = { method, headers: { 'content-type': 'application/json', ...headers } };
    try {
      const answer = await stage.service.request(path, {
        ...init,
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(30_000),
      });
      const json = (await answer.json()) as { id?: string };
      requested.answers.set(answer.status, (requested.answers.get(answer.status) ?? 0) + 1);
      if (!rightAnswers.includes(answer.status)) {
        requested.wrong.push(`${method} ${path} ${JSON.stringify(body)}: ${answer.status} ${JSON.stringify(json)}`);
      }
      return { status: answer.status, id: answer.status === 201 ? json.id : undefined };
    } catch {
      return undefined;
    }
  };
  const create = async (request: Record<string, unknown>, key?: string): Promise<string | undefined> => {
    const body = { scriptId: 'soak', ...request };
    const answer = await ask('POST', '/calls', body, key === undefined ? {} : { 'idempotency-key': key });
    if (answer === undefined) requested.unanswered++;
    if (answer?.id !== undefined) requested.accepted.add(answer.id);
    return answer?.id;
  };
  const known = (): string | undefined => {
    const ids = [...requested.accepted].slice(-60);
    return ids.length === 0 ? undefined : chance.pick(ids);
  };
  const lastNumbers: string[] = [];
  const fresh = (): string => {
    const number = stage.freshNumber();
    lastNumbers.push(number);
    return number;
  };
  const soon = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toISOString();

  const acts = {
    places: () => create({ to: fresh() }),
    'places with a priority': () => create({ to: fresh(), priority: 1 + Math.floor(chance.next() * 5) }),
    'places with a key, twice at once': async () => {
      const [key, to] = [randomUUID(), fresh()];
      const ids = await Promise.all([create({ to }, key), create({ to }, key)]);
      const made = new Set(ids.filter((id) => id !== undefined));
      if (made.size > 1) requested.wrong.push(`one key made two calls: ${[...made].join(', ')}`);
    },
    'places to a number that may be busy': () => create({ to: chance.pick(lastNumbers.slice(-20).concat(fresh())) }),
    'places what expires soon': () => create({ to: fresh(), expiresAt: soon(chance.between(1, 8)) }),
    cancels: async () => {
      const id = known();
      if (id !== undefined) await ask('POST', `/calls/${id}/cancel`);
    },
    retries: async () => {
      const id = known();
      if (id !== undefined) await ask('POST', `/calls/${id}/retry`);
    },
    edits: async () => {
      const id = known();
      if (id !== undefined) await ask('PATCH', `/calls/${id}`, { expiresAt: soon(chance.between(5, 600)) });
    },
  };
  const weights = {
    places: 10,
    'places with a priority': 3,
    'places with a key, twice at once': 2,
    'places to a number that may be busy': 2,
    'places what expires soon': 1,
    cancels: 1,
    retries: 1,
    edits: 1,
  } as const;
  while (!over()) {
    await acts[chance.weighted(weights)]();
    await pause(chance.between(0.2, 0.8));
    while (!over() && (await waiting(stage)) > mostWaiting) await pause(1);
  }
}

/** Requests by Kafka, at about one a second: each to a number of its own, some sent twice, some poison. */
export async function loadByKafka({ stage, producer, chance, requested, over, pause }: LoadOptions): Promise<void> {
  const send = async (value: string): Promise<void> => {
    for (;;) {
      try {
        await producer.send(topics.requests, [{ key: randomUUID(), value }]);
        return;
      } catch {
        // Sent again until Kafka has it, as every producer must: its requestId keeps it from becoming two calls.
        await pause(1);
        if (over()) return;
      }
    }
  };
  while (!over()) {
    const [to, requestId] = [stage.freshNumber(), randomUUID()];
    const value = JSON.stringify({ to, scriptId: 'soak', requestId });
    const act = chance.weighted({ once: 8, twice: 2, poison: 1 });
    if (act === 'poison') {
      await send('{bad');
      requested.poison++;
    } else {
      await send(value);
      if (act === 'twice') await send(value);
      if (!over()) requested.byKafka.add(to);
    }
    await pause(chance.between(0.5, 1.5));
    while (!over() && (await waiting(stage)) > mostWaiting) await pause(1);
  }
}

async function waiting(stage: Stage): Promise<number> {
  return countSlots(stage.service.database.db).then(
    (slots) => slots.waiting,
    () => 0,
  );
}
