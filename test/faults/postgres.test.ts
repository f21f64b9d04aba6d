import { sql } from 'kysely';

import type { Call } from '../../src/call/call';
import { killBackends } from '../support/kill-backends';
import { OwnServices } from '../support/own-services';
import { Toxiproxy, type Proxy } from '../support/toxiproxy';
import { waitUntil } from '../support/wait-until';
import { Stage, type Rehearsal } from './stage';

let own: OwnServices;
let toxiproxy: Toxiproxy;
let stage: Stage;
/** The API reaches PostgreSQL through it. */
let proxy: Proxy;

beforeAll(async () => {
  [own, toxiproxy] = await Promise.all([OwnServices.open('postgres'), Toxiproxy.open()]);
  stage = await Stage.open({ settings: { ...own.environment, MAX_CONCURRENT_CALLS: '10' }, callSeconds: 1 });
  const database = new URL(stage.service.database.url);
  proxy = await toxiproxy.to(database.host);
  database.host = proxy.address;
  await Promise.all([stage.service.run('api', { DATABASE_URL: database.href }), stage.service.start('worker')]);
}, 120_000);
afterAll(async () => {
  await stage.close();
  await toxiproxy.close();
  await own.close();
});

interface Answer {
  status: number;
  call: Call | undefined;
}

async function post(to: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await stage.service.post('/calls', { to, scriptId: 'testScript' }, headers);
  const body: unknown = await response.json();
  return { status: response.status, call: response.status === 201 ? (body as Call) : undefined };
}

async function note(rehearsal: Rehearsal, answers: readonly Answer[]): Promise<void> {
  const { rows } = await sql<{ id: string }>`select id from calls`.execute(stage.service.database.db);
  const known = new Set(rows.map(({ id }) => id));
  for (const { call } of answers) if (call) expect(known).toContain(call.id);
  rehearsal.callIds.push(...rows.map(({ id }) => id));
}

test('10: PostgreSQL crashes under POSTs: every 201 has its call, every other answer is 503', () =>
  stage.rehearse(10, 'PostgreSQL killed under POSTs', async (rehearsal) => {
    const answers: Answer[] = [];
    const posting = new AbortController();
    const clients = Array.from({ length: 4 }, async () => {
      while (!posting.signal.aborted) answers.push(await post(stage.freshNumber()));
    });
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    try {
      await waitUntil('some accepted', () => count(201) >= 20);
      // Several times, so that each kind of moment is struck: idle, in a statement, between two of a transaction.
      for (let round = 0; round < 3; round++) {
        const refused = count(503);
        rehearsal.fired(await killBackends(stage.service.database.db));
        await waitUntil('some refused', () => count(503) > refused);
        // More than were answered on their way out before it.
        const accepted = count(201);
        await waitUntil('accepted again', () => count(201) > accepted + 10, 60);
      }
    } finally {
      posting.abort();
      await Promise.all(clients);
    }
    rehearsal.over();
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 503]));
    await note(rehearsal, answers);
  }));

test("11: the commit's reply is lost: the same Idempotency-Key gives the same call", () =>
  stage.rehearse(11, "the commit's reply is lost", async (rehearsal) => {
    const { db } = stage.service.database;
    const made = async (to: string) =>
      (await db.selectFrom('calls').select('id').where('to_number', '=', to).execute()).map(({ id }) => id);
    for (let round = 0; round < 5; round++) {
      const to = stage.freshNumber();
      const headers = { 'idempotency-key': `lost-${round}` };
      // A warm connection: what is cut is the reply to the insert, not a greeting.
      await stage.service.get('/calls?limit=1');
      await proxy.loseReplies();
      const first = await post(to, headers);
      await proxy.restore();
      expect(first.status).toBe(503);
      const [id] = await made(to);
      if (id !== undefined) rehearsal.fired();
      const again = await waitUntil('answered', async () => {
        const answer = await post(to, headers);
        return answer.status === 503 ? undefined : answer;
      });
      expect(again.status).toBe(201);
      expect(await made(to)).toEqual([again.call?.id]);
      if (id !== undefined) expect(again.call?.id).toBe(id);
      rehearsal.callIds.push(again.call!.id);
    }
  }));
