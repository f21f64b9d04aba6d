import type { Browser } from 'playwright-core';

import { readConfig } from '../../src/config';
import { Stage } from '../faults/stage';
import { Receiver } from '../webhooks/receiver';
import { openBrowser, visit, type Visit } from './browser';

let stage: Stage;
let browser: Browser;
let receiver: Receiver;
let open: Visit;

beforeAll(async () => {
  [browser, receiver] = await Promise.all([openBrowser(), Receiver.open(...readConfig({}).WEBHOOK_SIGNING_SECRETS)]);
  stage = await Stage.open({
    settings: { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32', WEBHOOK_RETRY_SCHEDULE_SECONDS: '0.1' },
    callSeconds: 0.1,
  });
  await stage.service.start('api', 'worker');
  open = await visit(browser, stage.service.url);
}, 120_000);
afterAll(async () => {
  await open.leave();
  await browser.close();
  await stage.close();
  await receiver.close();
});

test('an event that its receiver would not take is shown as such, and sent again by a click', async () => {
  const { page } = open;
  receiver.answer = ({ message }) => ({ status: message.type === 'call.completed' ? 503 : 204 });
  const request = { to: stage.freshNumber(), scriptId: 'testScript', webhookUrl: receiver.url() };
  const { id } = (await (await stage.service.post('/calls', request)).json()) as { id: string };
  await stage.service.untilFinal(id);
  await open.go(`#/calls/${id}`);
  const row = page.getByRole('row').filter({ hasText: 'call.completed' });
  await row.getByText('Failed').waitFor();
  await row.getByText('2 tries, answered 503').waitFor();

  receiver.answer = () => ({ status: 204 });
  await row.getByRole('button', { name: 'Send again call.completed' }).click();
  await page.getByText('call.completed is sent again.').waitFor();
  await row.getByText('Delivered').waitFor();
  await row.getByText('3 tries, answered 204').waitFor();
});
