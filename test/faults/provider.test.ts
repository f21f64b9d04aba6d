import { waitUntil } from '../support/wait-until';
import { Stage } from './stage';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open({
    callSeconds: 0.5,
    settings: { MAX_CONCURRENT_CALLS: '5', MAX_CALL_SECONDS: '8', DIAL_PATIENCE_SECONDS: '60' },
  });
  await stage.service.start('api', 'worker');
}, 90_000);
afterAll(() => stage.close());

test('20: the provider accepts and its answer is lost: the call is found, not dialled again', () =>
  stage.rehearse(20, "the provider's answer is lost", async (rehearsal) => {
    stage.decide = () => {
      rehearsal.fired();
      return stage.usually({ seconds: 4, answer: { kind: 'lost' } });
    };
    const calls = await rehearsal.place(10);
    for (const { id } of calls) {
      expect(await stage.service.untilFinal(id)).toMatchObject({ status: 'COMPLETED', attempts: 1 });
    }
    expect(stage.provider.stats()).toMatchObject({ dials: 10 });
    expect(stage.provider.stats().replays).toBeGreaterThanOrEqual(10);
  }));

test("21: webhooks come five times, reversed, before the dial's answer: one outcome, no step back", () =>
  stage.rehearse(21, 'webhooks 5 times, reversed, before the answer', async (rehearsal) => {
    stage.decide = () => {
      rehearsal.fired();
      return stage.usually({
        webhookStatuses: ['COMPLETED', 'COMPLETED', 'BUSY', 'COMPLETED', 'NO_ANSWER'],
        answer: { kind: 'accepted', afterWebhooks: true },
      });
    };
    const calls = await rehearsal.place(10);
    await rehearsal.converge();
    for (const { id } of calls) {
      expect(await stage.service.call(id)).toMatchObject({ status: 'COMPLETED', attempts: 1 });
      const types = (await stage.service.events(id)).map(({ type }) => type);
      expect(types.filter((type) => type.startsWith('attempt.') || type === 'call.completed')).toEqual([
        'attempt.started',
        'attempt.ended',
        'call.completed',
      ]);
    }
  }));

test('22: the webhook never comes: the outcome is found by asking, at the deadline', () =>
  stage.rehearse(22, 'the webhook never comes', async (rehearsal) => {
    stage.decide = () => {
      rehearsal.fired();
      return stage.usually({ webhookStatuses: [] });
    };
    const calls = await rehearsal.place(5);
    rehearsal.over();
    for (const { id } of calls) {
      const call = await stage.service.untilFinal(id);
      expect(call).toMatchObject({ status: 'COMPLETED', attempts: 1 });
      expect(Date.parse(call.endedAt!) - Date.parse(call.startedAt!)).toBeGreaterThanOrEqual(8_000);
    }
  }));

test('23: the provider answers 429 and 503 for a while: no attempt is used up, and all goes on after', () =>
  stage.rehearse(23, 'the provider answers 429 and 503', async (rehearsal) => {
    let refusing = true;
    let refused = 0;
    stage.decide = () => {
      if (!refusing) return stage.usually();
      rehearsal.fired();
      refused++;
      return stage.usually({ answer: { kind: 'refused', status: Math.random() < 0.5 ? 429 : 503 } });
    };
    const calls = await rehearsal.place(8);
    await waitUntil('asked again and again', () => refused > 20, 60);
    refusing = false;
    rehearsal.over();
    for (const { id } of calls) {
      expect(await stage.service.untilFinal(id)).toMatchObject({ status: 'COMPLETED', attempts: 1 });
    }
  }));
