import { listReports } from '../store/provider-reports';
import { knownCall, type CallsDeps } from './calls';
import { callIdOf, callParams as params, jsonAnswer, problemAnswers, type Endpoint } from './endpoint';
import { exampleStoredReport } from './examples';
import { reportListSchema } from './schemas';

/** `GET /calls/:id/reports` */
export function getReports({ db }: Pick<CallsDeps, 'db'>): Endpoint {
  return {
    access: 'read',
    description: {
      operationId: 'listReports',
      summary: 'What the provider has reported of a call, in order of arrival',
      description: 'Each once, however often it came. Of an attempt the first one counts.',
      tags: ['Calls'],
      request: { params },
      responses: {
        200: jsonAnswer('Each report with its attempt', reportListSchema, { reports: [exampleStoredReport] }),
        ...problemAnswers('INVALID_ID', 'CALL_NOT_FOUND'),
      },
    },
    handle: async (c) => {
      const { id } = await knownCall(db, callIdOf(c));
      const rows = await listReports(db, id);
      const reports = rows.map((row) => ({
        attemptId: row.attempt_id,
        externalCallId: row.external_call_id,
        status: row.status,
        durationSec: row.duration_sec,
        failureReason: row.failure_reason,
        completedAt: row.completed_at.toISOString(),
        receivedAt: row.received_at.toISOString(),
      }));
      return c.json({ reports }, 200);
    },
  };
}
