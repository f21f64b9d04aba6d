import { z } from '@hono/zod-openapi';

import { parseRequest, storableText } from '../call/request';
import type { Logger } from '../log';
import { pauseDialling, readPause, resumeDialling } from '../store/control';
import type { Database } from '../store/database';
import { exampleControl, examplePause } from './board-examples';
import { controlSchema } from './board-schemas';
import { bodyProblems, jsonAnswer, jsonBody, problemAnswers, type Endpoint } from './endpoint';
import { readOptionalJson } from './read-body';

export interface ControlDeps {
  db: Database;
  log: Logger;
}

const tags = ['Operation'];
const maxReason = 200;

const pauseBody = z.strictObject({
  reason: storableText.min(1, 'must not be empty').max(maxReason, `must be at most ${maxReason} characters`).optional(),
});
const nothing = z.strictObject({});

/** `GET /control` */
export function getControl({ db }: ControlDeps): Endpoint {
  return {
    access: 'read',
    description: {
      operationId: 'getControl',
      summary: 'Whether dialling is paused, since when and why',
      tags,
      responses: {
        200: jsonAnswer('The pause that is on, or null', controlSchema, exampleControl),
        ...problemAnswers(),
      },
    },
    handle: async (c) => c.json({ pause: await readPause(db) }, 200),
  };
}

/** `POST /control/pause` */
export function postPause({ db, log }: ControlDeps): Endpoint {
  return {
    access: 'admin',
    description: {
      operationId: 'pauseDialling',
      summary: 'From now on nothing new is dialled; calls on the line go on',
      description:
        'Calls are accepted as before, and wait at their places. Paused again, it stays the pause that it is. A request ' +
        'to the provider that has left by then arrives.',
      tags,
      request: { body: jsonBody(pauseBody, { reason: examplePause.reason }, false) },
      responses: {
        200: jsonAnswer('The pause that is on', controlSchema, { pause: examplePause }),
        ...problemAnswers(...bodyProblems),
      },
    },
    handle: async (c) => {
      const { reason = null } = parseRequest(pauseBody, await readOptionalJson(c));
      const { pause, turned } = await pauseDialling(db, reason);
      if (turned) log.warn({ reason, keyId: c.get('keyId') }, 'dialling is paused: nothing new is dialled');
      return c.json({ pause }, 200);
    },
  };
}

/** `POST /control/resume` */
export function postResume({ db, log }: ControlDeps): Endpoint {
  return {
    access: 'admin',
    description: {
      operationId: 'resumeDialling',
      summary: 'Calls are dialled again, those that wait in their order',
      tags,
      request: { body: jsonBody(nothing, {}, false) },
      responses: {
        200: jsonAnswer('No pause is on', controlSchema, exampleControl),
        ...problemAnswers(...bodyProblems),
      },
    },
    handle: async (c) => {
      parseRequest(nothing, await readOptionalJson(c));
      const { pause, turned } = await resumeDialling(db);
      if (turned) log.warn({ keyId: c.get('keyId') }, 'dialling is resumed');
      return c.json({ pause }, 200);
    },
  };
}
