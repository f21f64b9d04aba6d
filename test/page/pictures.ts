import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import type { Browser } from 'playwright-core';

import { startApi, type ApiUnderTest } from '../api/api-under-test';
import { checkout } from '../docs/documents';
import { Stage } from '../faults/stage';
import { narrow, openBrowser, visit, type Visit, type VisitOptions } from './browser';
import { fillDay, type Day } from './day-of-calls';

/** `npm run pictures` takes them, of the page as it is now; look at them before they are committed. */
const directory = join(checkout, 'docs/pictures');
const mostBytes = 200_000;

let browser: Browser;
beforeAll(async () => {
  mkdirSync(directory, { recursive: true });
  browser = await openBrowser();
});
afterAll(() => browser.close());

interface Shot extends VisitOptions {
  url: string;
  hash?: string;
  /** Seen once it is all there. */
  sign: string;
  /** What happens once that is seen; and what is seen then. */
  then?: { work: (open: Visit) => Promise<void>; sign: string };
  wholePage?: boolean;
}

async function take(name: string, { url, hash = '#/', sign, then, wholePage, ...options }: Shot): Promise<void> {
  const open = await visit(browser, url, {
    timezoneId: 'UTC',
    viewport: { width: 1160, height: 750 },
    bears: /net::ERR_/,
    ...options,
  });
  const { page } = open;
  await open.go(hash);
  await page.getByText(sign).first().waitFor();
  await page.locator('.connection', { hasText: 'Live' }).waitFor();
  if (then) {
    await then.work(open);
    await page.getByText(then.sign).first().waitFor();
  }
  const path = join(directory, `${name}.png`);
  await page.screenshot({ path, fullPage: wholePage ?? false });
  await open.leave();
  expect(statSync(path).size).toBeLessThan(mostBytes);
}

async function withDay(day: Day, work: (api: ApiUnderTest) => Promise<void>): Promise<void> {
  const api = await startApi();
  try {
    await fillDay(api.db, day);
    await work(api);
  } finally {
    await api.close();
  }
}

test('thirty on the line and a thousand waiting, in light, in dark and on a phone', async () => {
  await withDay({ held: 30, waiting: 1_000, ended: 3_800 }, async ({ url }) => {
    const sign = '50 of 1,000 shown.';
    await take('live', { url, sign, viewport: { width: 1160, height: 820 } });
    await take('live-dark', { url, sign, colorScheme: 'dark' });
    await take('live-narrow', { url, sign, viewport: narrow });
    await take('calls', { url, hash: '#/calls', sign: '4,830 calls' });
    await take('add', { url, hash: '#/add', sign: 'Drop a file here' });
    const statistics = { url, hash: '#/statistics', sign: 'Why calls failed', wholePage: true };
    await take('statistics', statistics);
    await take('statistics-dark', { ...statistics, colorScheme: 'dark' });
  });
});

test('nothing yet, and a service that is away', async () => {
  await withDay({}, ({ url }) => take('live-empty', { url, sign: 'Nobody waits.' }));
  const api = await startApi();
  await fillDay(api.db, { held: 17, ended: 2_000 });
  const sign = 'Nobody waits.';
  await take('live-error', { url: api.url, sign, then: { work: () => api.close(), sign: 'What is shown is as of' } });
});

test("a call's page, in light and on a phone", async () => {
  const stage = await Stage.open({ settings: { RETRY_INITIAL_SECONDS: '2' } });
  try {
    await stage.service.start('api', 'worker');
    stage.decide = ({ nth }) =>
      nth === 1
        ? stage.usually({ outcome: 'NO_ANSWER', failureReason: 'The phone rang out', seconds: 3 })
        : stage.usually({ seconds: 5 });
    const to = '+966501234567';
    const answer = await stage.service.post('/calls', {
      ...{ to, scriptId: 'orderConfirmation', metadata: { customer: 'Noura', order: 4711 } },
    });
    const { id } = (await answer.json()) as { id: string };
    await stage.service.untilFinal(id);
    const shot = { url: stage.service.url, hash: `#/calls/${id}`, sign: 'Provider reports: completed' };
    await take('call', { ...shot, wholePage: true });
    await take('call-narrow', { ...shot, viewport: narrow });
  } finally {
    await stage.close();
  }
});
