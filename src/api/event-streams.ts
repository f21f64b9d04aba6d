import { z } from '@hono/zod-openapi';

import { callStatuses } from '../call/call';
import { CallError } from '../call/errors';
import { callEventTypes, type CallEvent, type CallRejectedEvent } from '../call/event';
import { parseRequest, type RequestSchemas } from '../call/request';
import type { EventTail } from '../events/event-tail';
import type { Logger } from '../log';
import { listEvents } from '../store/call-events';
import { findCall } from '../store/calls';
import type { Database } from '../store/database';
import { readHorizon, readStep, type EventPlace } from '../store/event-steps';
import { filterParameters, queryOf, someOf } from './call-filter';
import { callIdOf, callParams, problemAnswers, type ApiContext, type Endpoint } from './endpoint';
import { streamed } from './streaming';

const eventsAtOnce = 500;
const retryMilliseconds = 2_000;
/** Then the client comes again, with a key that may have been revoked. */
const longestStreamSeconds = 900;

export interface EventStreamDeps {
  db: Database;
  tail: EventTail;
  schemas: RequestSchemas;
  log: Logger;
  stopping: AbortSignal;
  heartbeatSeconds?: number;
}

type AnyEvent = CallEvent | CallRejectedEvent;

const lastEventId = z
  .string()
  .optional()
  .openapi({ description: 'For clients that cannot set the header Last-Event-ID, which counts before it.' });

const streamAnswer = (description: string) => ({
  200: { description, content: { 'text/event-stream': { schema: z.string() } } },
});

const headers = { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' };

/** `GET /calls/stream`: what happens to all calls, as Server-Sent Events. */
export function streamEvents(deps: EventStreamDeps): Endpoint {
  const { to, scriptId } = filterParameters(deps.schemas);
  const schema = z.strictObject({
    type: someOf(callEventTypes).optional(),
    status: someOf(callStatuses).optional(),
    to,
    scriptId,
    lastEventId,
  });
  return {
    access: 'read',
    description: {
      operationId: 'streamEvents',
      summary: 'What happens to calls, as it happens, as Server-Sent Events',
      description:
        'From now on, or from right after the event named by Last-Event-ID, with none missing, and in order for one ' +
        'call. `id` is for Last-Event-ID, `event` the type, `data` the event as on calls.events. A stream ends after a ' +
        'quarter of an hour; clients of the standard go on by themselves.',
      tags: ['Calls'],
      request: { query: schema },
      responses: { ...streamAnswer('Events until one side ends it'), ...problemAnswers('INVALID_REQUEST') },
    },
    handle: async (c) => {
      const { lastEventId: given, ...filter } = parseRequest(schema, queryOf(c));
      const start = await startOf(deps.db, lastIdOf(c, given));
      const wanted = (event: AnyEvent) => {
        const call = 'call' in event ? event.call : undefined;
        return (
          (filter.type?.includes(event.type) ?? true) &&
          (filter.to ?? call?.payload.to) === call?.payload.to &&
          (filter.scriptId ?? call?.payload.scriptId) === call?.payload.scriptId &&
          (filter.status === undefined || (call !== undefined && filter.status.includes(call.status)))
        );
      };
      return streamed(c, { headers, log: deps.log, parts: (gone) => allEvents(deps, start, wanted, gone) });
    },
  };
}

/** `GET /calls/:id/stream`: a call's timeline, and what happens to it from then on. */
export function streamCallEvents(deps: EventStreamDeps): Endpoint {
  const schema = z.strictObject({ lastEventId });
  return {
    access: 'read',
    description: {
      operationId: 'streamCallEvents',
      summary: "A call's timeline, and what happens to it from then on, as Server-Sent Events",
      description: 'From its beginning, or from right after the event named by Last-Event-ID, which is its `sequence`.',
      tags: ['Calls'],
      request: { params: callParams, query: schema },
      responses: {
        ...streamAnswer('Events until one side ends it'),
        ...problemAnswers('INVALID_ID', 'INVALID_REQUEST', 'CALL_NOT_FOUND'),
      },
    },
    handle: async (c) => {
      const id = callIdOf(c);
      const given = lastIdOf(c, parseRequest(schema, queryOf(c)).lastEventId);
      if (given !== undefined && !/^\d{1,9}$/.test(given)) throw badLastEventId();
      if (!(await findCall(deps.db, id))) throw new CallError('CALL_NOT_FOUND', `There is no call ${id}.`);
      return streamed(c, { headers, log: deps.log, parts: (gone) => eventsOfCall(deps, id, Number(given ?? 0), gone) });
    },
  };
}

function lastIdOf(c: ApiContext, fromQuery: string | undefined): string | undefined {
  const given = c.req.header('Last-Event-ID') ?? fromQuery;
  return given === '' ? undefined : given;
}

function badLastEventId(): CallError {
  const message = 'is not an id that this stream gave out';
  return new CallError('INVALID_REQUEST', `lastEventId ${message}`, { errors: [{ path: 'lastEventId', message }] });
}

/** @throws CallError INVALID_REQUEST for an id that no stream of this database can have given out */
async function startOf(db: Database, given: string | undefined): Promise<EventPlace> {
  const { lowest, next } = await readHorizon(db);
  if (given === undefined) return { from: lowest, to: null, afterId: 0 };
  const place = readPlace(given);
  if (!place || BigInt(place.to ?? place.from) > BigInt(next)) throw badLastEventId();
  return place;
}

function writePlace({ from, to, afterId }: EventPlace): string {
  return Buffer.from(`1:${from}.${to ?? ''}.${afterId}`).toString('base64url');
}

function readPlace(text: string): EventPlace | undefined {
  const plain = Buffer.from(text, 'base64url').toString('latin1');
  const [, from, to = '', afterId] = /^1:(\d{1,19})\.(\d{1,19})?\.(\d{1,15})$/.exec(plain) ?? [];
  if (from === undefined) return undefined;
  const place = { from, to: to === '' ? null : to, afterId: Number(afterId) };
  // Buffer skips what is not base64url; only what we would write ourselves is a place.
  return writePlace(place) === text ? place : undefined;
}

async function* allEvents(
  deps: EventStreamDeps,
  start: EventPlace,
  wanted: (event: AnyEvent) => boolean,
  gone: AbortSignal,
) {
  const { db, tail } = deps;
  yield* followed(deps, gone, async function* (ended) {
    let at = start;
    yield `retry: ${retryMilliseconds}\nid: ${writePlace(at)}\n\n`;
    for (;;) {
      while (at.to !== null) {
        const { from, to } = at;
        const entries = await readStep(db, { from, to, afterId: at.afterId }, eventsAtOnce);
        if (ended.aborted) return;
        yield* partsOf(entries, { from, to }, wanted);
        const last = entries.at(-1);
        at =
          entries.length < eventsAtOnce || !last ? { from: to, to: null, afterId: 0 } : { from, to, afterId: last.id };
      }
      const step = await tail.next(at.from, ended, heartbeatMilliseconds(deps));
      if (ended.aborted) return;
      if (step === 'QUIET') yield `id: ${writePlace(at)}\n: nothing new\n\n`;
      else if (step === 'BEHIND' || step.entries === undefined) at = { ...at, to: tail.position };
      else {
        yield* partsOf(step.entries, step, wanted);
        at = { from: step.to, to: null, afterId: 0 };
      }
    }
  });
}

function* partsOf(
  entries: readonly { id: number; event: AnyEvent }[],
  { from, to }: { from: string; to: string },
  wanted: (event: AnyEvent) => boolean,
) {
  for (const { id, event } of entries) {
    if (wanted(event)) yield message(writePlace({ from, to, afterId: id }), event);
  }
}

async function* eventsOfCall(deps: EventStreamDeps, id: string, after: number, gone: AbortSignal) {
  const { db, tail } = deps;
  yield* followed(deps, gone, async function* (ended) {
    yield `retry: ${retryMilliseconds}\n\n`;
    let [from, last] = [tail.position, after];
    for (let isStale = true; ;) {
      if (isStale) {
        for (const event of await listEvents(db, id, last)) {
          yield message(String(event.sequence), event);
          last = event.sequence;
        }
      }
      const step = await tail.next(from, ended, heartbeatMilliseconds(deps));
      if (ended.aborted) return;
      if (step === 'QUIET') yield `: nothing new\n\n`;
      isStale =
        step === 'BEHIND' || (step !== 'QUIET' && (step.entries?.some(({ event }) => event.callId === id) ?? true));
      if (step !== 'QUIET') from = tail.position;
    }
  });
}

/** With the tail looking, until the client has gone, the process is about to stop, or it has been long enough. */
async function* followed(
  { tail, stopping }: EventStreamDeps,
  gone: AbortSignal,
  parts: (ended: AbortSignal) => AsyncGenerator<string, void, undefined>,
) {
  await tail.join();
  try {
    yield* parts(AbortSignal.any([gone, stopping, AbortSignal.timeout(longestStreamSeconds * 1_000)]));
  } finally {
    tail.leave();
  }
}

const heartbeatMilliseconds = ({ heartbeatSeconds = 15 }: EventStreamDeps) => heartbeatSeconds * 1_000;

function message(id: string, event: AnyEvent): string {
  return `id: ${id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
