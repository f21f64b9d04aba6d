import { CallError } from '../call/errors';
import { parseRequest, type RequestSchemas } from '../call/request';
import type { Config } from '../config';
import type { Acceptance } from '../intake/accept-call';
import { CallDoor } from '../intake/call-door';
import { editCall } from '../intake/change-call';
import type { Starter } from '../intake/starter';
import { listAttempts } from '../store/attempts';
import { listEvents } from '../store/call-events';
import { findCall } from '../store/calls';
import type { CallRow, Database } from '../store/database';
import { callOf } from '../store/rows';
import {
  bodyProblems,
  callIdOf,
  callParams as params,
  jsonAnswer,
  jsonBody,
  problemAnswers,
  type ApiContext,
  type Endpoint,
} from './endpoint';
import {
  changedCall,
  completedCall,
  exampleAttempt,
  exampleCallId,
  exampleChange,
  exampleEvents,
  exampleRequest,
  pendingCall,
} from './examples';
import { idempotencyHeaders, idempotencyKeyOf, KeysInFlight } from './idempotency-key';
import { readJson } from './read-body';
import { attemptListSchema, callSchema, eventListSchema } from './schemas';

export interface CallsDeps {
  db: Database;
  config: Pick<Config, 'MAX_ATTEMPTS' | 'DEFAULT_EXPIRY_SECONDS'>;
  starter: Pick<Starter, 'handOffSoon' | 'startsWithinSeconds'>;
  schemas: RequestSchemas;
}

const text = { type: 'string' } as const;
const acceptedHeaders = {
  Location: { description: 'Where the call is', required: true, schema: text, example: `/calls/${exampleCallId}` },
  'Idempotency-Replayed': { description: '`true` where this is the answer that the key got before', schema: text },
};

/** `POST /calls`: answered once the call is durable, whether or not Temporal is there. */
export function postCall({ db, config, starter, schemas }: CallsDeps): Endpoint {
  const inFlight = new KeysInFlight();
  const door = new CallDoor({ db, config, starter });
  return {
    access: 'write',
    description: {
      operationId: 'createCall',
      summary: 'Accepts a call',
      description: 'With an Idempotency-Key, a request that is repeated gets the same call and makes no other.',
      tags: ['Calls'],
      request: {
        headers: idempotencyHeaders,
        body: jsonBody(schemas.call, exampleRequest),
      },
      responses: {
        201: {
          ...jsonAnswer('Accepted, or accepted before under this key', callSchema, pendingCall),
          headers: acceptedHeaders,
        },
        ...problemAnswers(...bodyProblems, 'NUMBER_BUSY', 'IDEMPOTENCY_KEY_REUSED', 'IDEMPOTENCY_KEY_IN_FLIGHT'),
      },
    },
    handle: async (c) => {
      const key = idempotencyKeyOf(c);
      const request = parseRequest(schemas.call, await readJson(c));
      const requestKey = key === undefined ? null : `http:${key}`;
      const answered = inFlight.claim(key);
      try {
        const traceparent = c.req.header('traceparent');
        const acceptance = await door.accept({ request, requestKey, source: null, traceparent });
        return answerTo(c, acceptance);
      } finally {
        answered();
      }
    },
  };
}

function answerTo(c: ApiContext, acceptance: Acceptance): Response {
  switch (acceptance.kind) {
    case 'ACCEPTED':
    case 'REPLAYED':
      c.set('callId', acceptance.call.id);
      c.header('Location', `/calls/${acceptance.call.id}`);
      if (acceptance.kind === 'REPLAYED') c.header('Idempotency-Replayed', 'true');
      return c.json(acceptance.call, 201);
    case 'KEY_REUSED':
      throw new CallError('IDEMPOTENCY_KEY_REUSED');
    case 'NUMBER_BUSY':
      throw new CallError('NUMBER_BUSY', undefined, { activeCallId: acceptance.activeCallId });
  }
}

/** `GET /calls/:id` */
export function getCall({ db }: Pick<CallsDeps, 'db'>): Endpoint {
  return {
    access: 'read',
    description: {
      operationId: 'getCall',
      summary: 'A call as it is now',
      tags: ['Calls'],
      request: { params },
      responses: {
        200: jsonAnswer('The call', callSchema, completedCall),
        ...problemAnswers('INVALID_ID', 'CALL_NOT_FOUND'),
      },
    },
    handle: async (c) => c.json(callOf(await knownCall(db, callIdOf(c))), 200),
  };
}

/** `PATCH /calls/:id` */
export function patchCall({ db, starter, schemas }: CallsDeps): Endpoint {
  return {
    access: 'write',
    description: {
      operationId: 'updateCall',
      summary: 'Changes a PENDING call',
      tags: ['Calls'],
      request: { params, body: jsonBody(schemas.change, exampleChange) },
      responses: {
        200: jsonAnswer('The call as changed', callSchema, changedCall),
        ...problemAnswers('INVALID_ID', ...bodyProblems, 'CALL_NOT_FOUND', 'CALL_NOT_PENDING', 'NUMBER_BUSY'),
      },
    },
    handle: async (c) => {
      const id = callIdOf(c);
      const change = parseRequest(schemas.change, await readJson(c));
      const row = await editCall(db, id, change);
      starter.handOffSoon(row);
      return c.json(callOf(row), 200);
    },
  };
}

/** `GET /calls/:id/attempts` */
export function getAttempts({ db }: Pick<CallsDeps, 'db'>): Endpoint {
  return {
    access: 'read',
    description: {
      operationId: 'listAttempts',
      summary: 'The attempts that held a slot, oldest first',
      tags: ['Calls'],
      request: { params },
      responses: {
        200: jsonAnswer('Each attempt with its slot, outcome and times', attemptListSchema, {
          attempts: [exampleAttempt],
        }),
        ...problemAnswers('INVALID_ID', 'CALL_NOT_FOUND'),
      },
    },
    handle: async (c) => {
      const { id } = await knownCall(db, callIdOf(c));
      return c.json({ attempts: await listAttempts(db, id) }, 200);
    },
  };
}

/** `GET /calls/:id/events` */
export function getEvents({ db }: Pick<CallsDeps, 'db'>): Endpoint {
  return {
    access: 'read',
    description: {
      operationId: 'listEvents',
      summary: 'Everything that happened to a call, oldest first',
      tags: ['Calls'],
      request: { params },
      responses: {
        200: jsonAnswer("The call's timeline", eventListSchema, { events: exampleEvents }),
        ...problemAnswers('INVALID_ID', 'CALL_NOT_FOUND'),
      },
    },
    handle: async (c) => {
      const { id } = await knownCall(db, callIdOf(c));
      return c.json({ events: await listEvents(db, id) }, 200);
    },
  };
}

/** @throws CallError CALL_NOT_FOUND */
export async function knownCall(db: Database, id: string): Promise<CallRow> {
  const row = await findCall(db, id);
  if (!row) throw new CallError('CALL_NOT_FOUND', `There is no call ${id}.`);
  return row;
}
