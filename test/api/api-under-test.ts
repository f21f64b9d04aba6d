import pino from 'pino';

import { createApp } from '../../src/api/app';
import type { DependencyChecks } from '../../src/api/health';
import { listen } from '../../src/api/server';
import type { Call } from '../../src/call/call';
import { readConfig, type Config } from '../../src/config';
import { receiveReport } from '../../src/intake/provider-reports';
import { ReportsInHand } from '../../src/intake/reports-in-hand';
import type { HandoffRow } from '../../src/store/handoffs';
import { ApiDocument, isJson } from '../support/api-document';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { endingWithoutSlots } from '../support/ending-without-slots';

export interface ApiUnderTest extends TestDatabase {
  url: string;
  config: Config;
  /** The rows that were handed to the starter, in order. */
  handedOff: HandoffRow[];
  /** The attempts whose reports were to be delivered, in order. */
  delivered: string[];
  logLines: Record<string, unknown>[];
  /** Its answer is held to /openapi.json. */
  request: (method: string, path: string, options?: RequestOptions) => Promise<Answer>;
  /** A PENDING call to a number of its own. */
  acceptCall: (fields?: Record<string, unknown>) => Promise<Call>;
  close: () => Promise<void>;
}

export interface RequestOptions {
  /** Sent as JSON; `raw` is sent as it is. */
  json?: unknown;
  raw?: string | Uint8Array;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The body where it is JSON. */
  body: Record<string, unknown>;
}

export interface ApiOptions {
  env?: Record<string, string>;
  checks?: DependencyChecks;
  actOnReport?: (attemptId: string) => Promise<void>;
  database?: TestDatabase;
  bodySeconds?: number;
  heartbeatSeconds?: number;
}

/** The API as it is served, on PostgreSQL; in Temporal's place it notes what would be told. */
export async function startApi(options: ApiOptions = {}): Promise<ApiUnderTest> {
  const database = options.database ?? (await createTestDatabase());
  const config = readConfig({ ...process.env, ...options.env });
  const handedOff: HandoffRow[] = [];
  const delivered: string[] = [];
  const logLines: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line) => logLines.push(JSON.parse(line) as Record<string, unknown>) });
  const stopping = new AbortController();
  const app = createApp({
    db: database.db,
    config,
    log,
    starter: {
      handOffSoon: (...rows) => handedOff.push(...rows),
      startsWithinSeconds: 0,
    },
    stopping: stopping.signal,
    ...(options.heartbeatSeconds !== undefined && { heartbeatSeconds: options.heartbeatSeconds }),
    reports: new ReportsInHand(
      {
        receive: (report, named) => receiveReport(endingWithoutSlots(database.db, log), report, named),
        act: async ({ attempt: { id } }) => {
          delivered.push(id);
          await options.actOnReport?.(id);
        },
      },
      log,
    ),
    checks: options.checks ?? {},
  });
  const server = await listen(
    app,
    { host: '127.0.0.1', port: 0, ...(options.bodySeconds !== undefined && { bodySeconds: options.bodySeconds }) },
    log,
  );
  const request = requestTo(server.url);
  return {
    ...database,
    url: server.url,
    config,
    handedOff,
    delivered,
    logLines,
    request,
    acceptCall: async (fields = {}) => {
      const answer = await request('POST', '/calls', {
        json: { to: freshNumber(), scriptId: 'testScript', ...fields },
      });
      expect(answer.status).toBe(201);
      return answer.body as unknown as Call;
    },
    close: async () => {
      stopping.abort();
      await server.close();
      await database.drop();
    },
  };
}

function requestTo(url: string): ApiUnderTest['request'] {
  let document: Promise<ApiDocument> | undefined;
  return async (method, path, { json, raw, headers = {} } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: json === undefined ? headers : { 'Content-Type': 'application/json', ...headers },
      body: json === undefined ? (raw ?? null) : JSON.stringify(json),
    });
    const text = await response.text();
    document ??= ApiDocument.servedAt(url);
    (await document).hold(method, path, { status: response.status, headers: response.headers, text });
    const body = isJson(response) && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status: response.status, headers: response.headers, text, body };
  };
}

let numbersGiven = 0;

/** A Saudi mobile number that no call of this file goes to yet. */
export function freshNumber(): string {
  numbersGiven++;
  return `+96650${String(1_000_000 + numbersGiven)}`;
}

/** The paths of the fields that an answer names as bad. */
export function badFields(answer: Answer): string[] {
  return ((answer.body['errors'] ?? []) as { path: string }[]).map(({ path }) => path);
}
