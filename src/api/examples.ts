import { forgotten, type Attempt, type Call } from '../call/call';
import type { CallEvent } from '../call/event';

/**
 * What /openapi.json shows as examples. They stand as they are: `test/api/examples.test.ts` sends each request, and gets each
 * answer.
 */

export const exampleCallId = '7f2cc87b-03e7-4be4-a8bf-504f054c6262';

export const exampleRequest = {
  to: '+966501234567',
  scriptId: 'testScript',
  metadata: { customer: 'Noura', order: 4711 },
};

export const exampleChange = { scriptId: 'shorterScript', metadata: { customer: 'Noura', order: 4712 } };

/** Right after `exampleRequest` was accepted. */
export const pendingCall: Call = {
  id: exampleCallId,
  payload: exampleRequest,
  priority: 3,
  status: 'PENDING',
  attempts: 0,
  maxAttempts: 3,
  lastError: null,
  externalCallId: null,
  createdAt: '2026-11-22T23:48:19.033Z',
  startedAt: null,
  endedAt: null,
  updatedAt: '2026-11-22T23:48:19.033Z',
  expiresAt: '2026-11-23T23:48:19.033Z',
  nextAttemptAt: null,
  webhookUrl: null,
  forgottenAt: null,
};

export const changedCall: Call = { ...pendingCall, payload: { to: exampleRequest.to, ...exampleChange } };

export const canceledCall: Call = { ...pendingCall, status: 'CANCELED', endedAt: '2026-11-22T23:50:00.000Z' };

/** After its one attempt. */
export const completedCall: Call = {
  ...pendingCall,
  status: 'COMPLETED',
  attempts: 1,
  externalCallId: 'mock-1',
  startedAt: '2026-11-22T23:48:19.210Z',
  endedAt: '2026-11-22T23:48:41.730Z',
  updatedAt: '2026-11-22T23:48:41.730Z',
};

/** It, with its personal data forgotten. */
export const forgottenCall: Call = {
  ...completedCall,
  payload: { to: forgotten, scriptId: exampleRequest.scriptId, metadata: {} },
  updatedAt: '2026-11-23T09:12:00.000Z',
  forgottenAt: '2026-11-23T09:12:00.000Z',
};

export const exampleAttempt: Attempt = {
  id: '0b7de2a7-6d7c-4d6e-a6d5-0f5b1c5f2f0e',
  callId: exampleCallId,
  number: 1,
  slot: 7,
  externalCallId: 'mock-1',
  outcome: 'COMPLETED',
  failureReason: null,
  durationSec: 21,
  queuedAt: '2026-11-22T23:48:19.120Z',
  startedAt: '2026-11-22T23:48:19.210Z',
  endedAt: '2026-11-22T23:48:41.730Z',
};

export const exampleEvents: CallEvent[] = [
  {
    eventId: 'a3f0c1f4-7a43-4b0e-9d55-3b8a3c0d7a11',
    callId: exampleCallId,
    sequence: 1,
    type: 'call.accepted',
    at: '2026-11-22T23:48:19.033Z',
    call: pendingCall,
  },
  {
    eventId: '5d2c7a90-1f5b-4c0e-8f0a-6a1d7e3b9c22',
    callId: exampleCallId,
    sequence: 2,
    type: 'call.completed',
    at: '2026-11-22T23:48:41.730Z',
    call: completedCall,
  },
];

export const exampleReport = {
  callId: 'mock-1',
  status: 'COMPLETED',
  durationSec: 21,
  completedAt: '2026-11-22T23:48:41.700Z',
} as const;

/** It, as it is kept. */
export const exampleStoredReport = {
  attemptId: exampleAttempt.id,
  externalCallId: exampleReport.callId,
  status: exampleReport.status,
  durationSec: exampleReport.durationSec,
  failureReason: null,
  completedAt: exampleReport.completedAt,
  receivedAt: '2026-11-22T23:48:41.725Z',
};

export const exampleCsv = `id,to,scriptId,status,priority,attempts,maxAttempts,lastError,externalCallId,createdAt,startedAt,endedAt,updatedAt,expiresAt,nextAttemptAt,webhookUrl,forgottenAt,metadata
7f2cc87b-03e7-4be4-a8bf-504f054c6262,+966501234567,testScript,COMPLETED,3,1,3,,mock-1,2026-11-22T23:48:19.033Z,2026-11-22T23:48:19.210Z,2026-11-22T23:48:41.730Z,2026-11-22T23:48:41.730Z,2026-11-23T23:48:19.033Z,,,,"{""order"":4711,""customer"":""Noura""}"
`;

export const exampleBatch = { calls: [exampleRequest, { to: 'nobody', scriptId: 'testScript', requestId: 'row-2' }] };

export const exampleBatchAnswer = {
  accepted: 1,
  replayed: 0,
  refused: 1,
  results: [
    { index: 0, status: 'ACCEPTED' as const, call: pendingCall },
    {
      index: 1,
      status: 'REFUSED' as const,
      problem: {
        type: 'urn:call-orchestrator:problem:invalid-request',
        title: 'The request is not valid',
        status: 400,
        detail: 'to must be a phone number in E.164 form, such as +966501234567',
        instance: '/calls/batch#/calls/1',
        code: 'INVALID_REQUEST' as const,
        error: 'to must be a phone number in E.164 form, such as +966501234567',
        errors: [{ path: 'to', message: 'must be a phone number in E.164 form, such as +966501234567' }],
      },
    },
  ],
};

export const exampleFile = `to,scriptId,metadata.customer\n${exampleRequest.to},testScript,4711\n`;
export const exampleImportLine = { row: 1, status: 'ACCEPTED' as const, callId: exampleCallId };
