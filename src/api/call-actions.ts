import { z } from '@hono/zod-openapi';

import { parseRequest } from '../call/request';
import type { Config } from '../config';
import { cancelCall, retryCall } from '../intake/change-call';
import { forgetCall } from '../intake/forget-call';
import type { Starter } from '../intake/starter';
import type { CallRow, Database } from '../store/database';
import { callOf } from '../store/rows';
import {
  bodyProblems,
  callIdOf,
  callParams,
  jsonAnswer,
  jsonBody,
  problemAnswers,
  type ApiContext,
  type Endpoint,
} from './endpoint';
import { canceledCall, forgottenCall, pendingCall } from './examples';
import { readOptionalJson } from './read-body';
import { callSchema } from './schemas';

export interface CallActionDeps {
  db: Database;
  config: Pick<Config, 'MAX_ATTEMPTS' | 'DEFAULT_EXPIRY_SECONDS'>;
  starter: Pick<Starter, 'handOffSoon'>;
}

const nothing = z.strictObject({});

const request = {
  params: callParams,
  body: jsonBody(nothing, {}, false),
};

/** `POST /calls/:id/cancel` */
export function postCancel({ db, starter }: CallActionDeps): Endpoint {
  return {
    access: 'write',
    description: {
      operationId: 'cancelCall',
      summary: 'Withdraws a call that has not ended; a live line is hung up',
      tags: ['Calls'],
      request,
      responses: {
        200: jsonAnswer('The call, CANCELED', callSchema, canceledCall),
        ...problemAnswers('INVALID_ID', ...bodyProblems, 'CALL_NOT_FOUND', 'CALL_ALREADY_ENDED'),
      },
    },
    handle: (c) => act(c, starter, (id) => cancelCall(db, id)),
  };
}

/** `POST /calls/:id/retry` */
export function postRetry({ db, config, starter }: CallActionDeps): Endpoint {
  return {
    access: 'write',
    description: {
      operationId: 'retryCall',
      summary: 'Starts a FAILED, EXPIRED or CANCELED call again, with fresh attempts',
      tags: ['Calls'],
      request,
      responses: {
        200: jsonAnswer('The call, PENDING', callSchema, pendingCall),
        ...problemAnswers(
          'INVALID_ID',
          ...bodyProblems,
          'CALL_NOT_FOUND',
          'CALL_NOT_RETRYABLE',
          'CALL_FORGOTTEN',
          'NUMBER_BUSY',
        ),
      },
    },
    handle: (c) => act(c, starter, (id) => retryCall(db, id, config)),
  };
}

/** `DELETE /calls/:id/personal-data` */
export function deletePersonalData({ db, starter }: CallActionDeps): Endpoint {
  return {
    access: 'admin',
    description: {
      operationId: 'forgetPersonalData',
      summary: 'Forgets the person in a call that is over',
      description:
        'Number, metadata and free texts go from the record, the timeline and the histories in Temporal. Cannot be undone.',
      tags: ['Calls'],
      request: { params: request.params },
      responses: {
        200: jsonAnswer('The call, without personal data', callSchema, forgottenCall),
        ...problemAnswers('INVALID_ID', 'CALL_NOT_FOUND', 'CALL_NOT_ENDED'),
      },
    },
    handle: async (c) => {
      const row = await forgetCall(db, callIdOf(c));
      starter.handOffSoon(row);
      return c.json(callOf(row), 200);
    },
  };
}

async function act(
  c: ApiContext,
  starter: CallActionDeps['starter'],
  change: (id: string) => Promise<CallRow>,
): Promise<Response> {
  const id = callIdOf(c);
  parseRequest(nothing, await readOptionalJson(c));
  const row = await change(id);
  starter.handOffSoon(row);
  return c.json(callOf(row), 200);
}
