import type { Browser } from 'playwright-core';

import { createKey } from '../../src/access/keys';
import { startApi, type ApiUnderTest } from '../api/api-under-test';
import { acceptedCall } from '../store/records';
import { openBrowser, visit } from './browser';

let api: ApiUnderTest;
let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
  api = await startApi({ env: { API_KEYS: 'required', RATE_LIMIT_PER_MINUTE: '0' } });
});
afterAll(async () => {
  await browser.close();
  await api.close();
});

const keyThatMay = async (access: 'read' | 'write') => (await createKey(api.db, { name: access, access })).text;

test('a key is asked for, kept for as long as the tab is open and sent in a header; a wrong one is told', async () => {
  const { page, go, leave } = await visit(browser, api.url, { bears: /status of 401/ });
  const call = await acceptedCall(api.db);
  await go('#/calls');
  await page.getByLabel('API key').fill('not-a-key');
  await page.getByRole('button', { name: 'Enter' }).click();
  await page.getByText('This API key is not known, or was revoked.').waitFor();

  const key = await keyThatMay('read');
  await page.getByLabel('API key').fill(key);
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: call.to_number }).waitFor();
  await page.locator('.connection', { hasText: 'Live' }).waitFor();
  expect(asked.filter((url) => url.includes(key))).toEqual([]);
  await page.reload();
  await page.getByRole('link', { name: call.to_number }).waitFor();

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('API key').waitFor();
  await leave();
});

test('a key that may only read shows everything, and is told what it may not do', async () => {
  const { page, go, leave } = await visit(browser, api.url, { bears: /status of 40[13]/ });
  const call = await acceptedCall(api.db);
  await go(`#/calls/${call.id}`);
  await page.getByLabel('API key').fill(await keyThatMay('read'));
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Cancel call' }).click();
  await page.getByRole('button', { name: 'Cancel the call' }).click();
  await page.getByRole('alert').getByText('This asks for a key that may write; yours may read.').waitFor();
  await page.getByRole('button', { name: 'Go back' }).click();
  expect((await api.db.selectFrom('calls').select('status').where('id', '=', call.id).executeTakeFirst())?.status).toBe(
    'PENDING',
  );

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('API key').fill(await keyThatMay('write'));
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Cancel call' }).click();
  await page.getByRole('button', { name: 'Cancel the call' }).click();
  await page.getByRole('heading', { name: `${call.to_number} Canceled` }).waitFor();
  await leave();
});
